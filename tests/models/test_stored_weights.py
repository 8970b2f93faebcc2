"""Weights that commit bea20ef stored, and what it computed with them."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from muzero.actions import Discrete
from muzero.interfaces import GameSpec, observe_first
from muzero.models.spatial import SpatialModel
from muzero.models.vector import VectorModel

FILES = Path(__file__).parent.parent / "data" / "models"
MODELS = {
    "vector": (VectorModel, {"width": 8}, (5,), "float32"),
    "spatial": (SpatialModel, {"channels": 4, "head_channels": 2, "smallest_side": 4}, (2, 7, 6), "uint8"),
}


@pytest.mark.parametrize("name", MODELS)
@torch.no_grad()
def test_stored_weights_give_the_numbers_of_then(name):
    make, settings, observation, dtype = MODELS[name]
    stored = load_file(FILES / f"{name}.safetensors")
    model = make(
        GameSpec("g", observation, dtype, Discrete(3), (-1.0, 0.0, 1.0)), hidden=8, atoms=11, **settings
    ).eval()
    weights = {key.removeprefix("weights."): tensor for key, tensor in stored.items() if key.startswith("weights.")}
    model.load_state_dict(weights, strict=True)
    root = observe_first(model, stored["given.observation"])
    found = model.expand(root, stored["given.action"])._asdict()
    for key, number in {"state": found.pop("latent")["state"], **found}.items():
        torch.testing.assert_close(number, stored[f"found.{key}"], atol=1e-4, rtol=1e-4)
