"""What tests of actors share: pools of both kinds, and an environment that obeys a folder."""

import pytest
import torch
from killing import TINY

from muzero import build
from muzero.actors.local import LocalPool
from muzero.config import parse_settings

KINDS = [pytest.param(False, id="in_process"), pytest.param(True, id="child")]


@pytest.fixture
def orders(tmp_path, monkeypatch):
    """The folder that `gated.Gated` obeys."""
    folder = tmp_path / "orders"
    folder.mkdir()
    monkeypatch.setenv("MUZERO_TEST_ORDERS", str(folder))
    return folder


@pytest.fixture
def pool_of(orders):
    """Makes pools, which are closed after the test."""
    made = []

    def pool(apart, game="python/gated:Gated", *settings):
        config = build.configure(game, [parse_settings([*TINY, *settings])])
        made.append(LocalPool(config, torch.device("cpu"), apart))
        return made[-1]

    yield pool
    for each in made:
        each.close()
