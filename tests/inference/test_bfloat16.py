"""Convolutions in bfloat16: how far results agree with float32, what is fused, and when "auto" chooses them."""

import copy
from functools import partial

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from inference_paths import HAS_BFLOAT16, MODELS, computed, made, reference, roots
from torch import nn

from muzero import search
from muzero.actions import Box, Discrete
from muzero.config import ConfigError
from muzero.inference import observe_first, simulating
from muzero.inference.bfloat16 import Convolution, in_bfloat16, repack
from muzero.inference.onnx_backend import OnnxModel
from muzero.inference.torch_backend import TorchModel
from muzero.interfaces import GameSpec
from muzero.models.spatial import SpatialModel

pytestmark = pytest.mark.skipif(not HAS_BFLOAT16, reason="the processor has no instructions for bfloat16")

SPEC = MODELS["spatial"][1]
UNROLL = 8
CONVOLUTIONAL = ["spatial", "summed", "image"]
TOLERANCES = {"reward": 0.02, "discount": 0.02, "value": 0.02, "logits": 0.05}  # of a trained model


def chain(batch, steps=UNROLL):
    """Edges of which each begins where the last one ended."""
    rng = np.random.default_rng(0)
    return [(node, rng.integers(0, 6, batch).astype(np.int32), node + 1) for node in range(steps)]


def boards(batch, seed):
    return torch.rand(batch, *SPEC.observation, generator=torch.Generator().manual_seed(seed)).round()


def learned(model, updates=300):
    """A model after some updates on a game in which an action turns the board by that many columns.

    The score of a board is a linear function of it, and the best action turns it as one row of the board says.
    """
    torch.manual_seed(0)
    weights = torch.randn(SPEC.observation).flatten() / 6
    optimiser = torch.optim.AdamW(model.train().parameters(), lr=3e-3)
    for update in range(updates):
        board = boards(64, update)
        latent, loss = observe_first(model, board), torch.zeros(())
        for step in range(3):
            score = torch.tanh(board.flatten(1) @ weights)
            prediction = model.predict(latent)
            loss = (
                loss + (prediction.policy.loss((2 * board[:, 0, 0]).softmax(-1)) + prediction.value.loss(score)).mean()
            )
            if step < 2:
                action = torch.randint(0, 7, (64,))
                columns = (torch.arange(7) + action[:, None])[:, None, None].expand(-1, *SPEC.observation) % 7
                board = board.gather(3, columns)
                latent, transition = model.imagine(latent, action)
                loss = loss + (transition.reward.loss(score) + transition.discount.loss(-score.abs())).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return model.eval()


@torch.inference_mode()
def positions(model, batch):
    """Roots of boards that the model has not seen."""
    return observe_first(model, boards(batch, 10_000))


@pytest.fixture(scope="module", params=["channel", "whole"])
def trained(request):
    torch.manual_seed(1)
    return learned(SpatialModel(SPEC, channels=16, hidden=32, atoms=11, head_blocks=0, scale=request.param))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", CONVOLUTIONAL)
def test_one_step_of_random_weights_agrees_to_three_hundredths_of_the_spread(name, seed):
    model, spec = made(name, seed)
    root, edges = roots(model, spec, 64), chain(64, 1)
    for found, expected in zip(computed(model, root, edges, "torch_bf16"), reference(model, root, edges), strict=True):
        for one, other in zip(found, expected, strict=True):
            assert np.abs(one - other).mean() < 0.002 + 0.03 * other.std()


def test_a_trained_model_agrees_over_an_unroll_of_eight_steps(trained):
    root, edges = positions(trained, 64), chain(64)
    found, expected = computed(trained, root, edges, "torch_bf16"), reference(trained, root, edges)
    for step, (mine, theirs) in enumerate(zip(found[1:], expected[1:], strict=True)):
        for name, one, other in zip(TOLERANCES, mine, theirs, strict=True):
            assert np.abs(one - other).max() < TOLERANCES[name], f"{name} after {step + 1} steps"


def test_a_row_of_a_batch_is_what_it_is_alone(trained):
    root, edges = positions(trained, 16), chain(16)
    whole = computed(trained, root, edges, "torch_bf16")
    for row in (0, 7, 15):
        part = {name: latent[row : row + 1] for name, latent in root.items()}
        alone = computed(trained, part, [(p, action[row : row + 1], n) for p, action, n in edges], "torch_bf16")
        for mine, theirs in zip(alone[1:], whole[1:], strict=True):
            for name, one, other in zip(TOLERANCES, mine, theirs, strict=True):
                assert np.abs(one[0] - other[row]).max() < TOLERANCES[name]


def searched(model, root, path):
    with simulating(model, root, 64, path) as (logits, value, expand):
        return search.gumbel(logits, value, expand, 64, value_scale=1.0, rescale=False)


def test_searches_choose_the_moves_of_float32_and_repeat_byte_for_byte(trained):
    root = positions(trained, 256)
    exact, found, again = (searched(trained, root, path) for path in ("onnx", "torch_bf16", "torch_bf16"))
    assert (found.action == exact.action).mean() >= 0.97
    for name in ("visits", "policy", "q", "value"):
        assert getattr(found, name).tobytes() == getattr(again, name).tobytes()


# --- the graph -----------------------------------------------------------------------------------------------------


class Sums(nn.Module):
    """Convolutions among operations of which some can be fused."""

    def __init__(self, **settings):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = nn.Conv2d(4, 8, 3, padding=1), nn.Conv2d(8, 8, 3, **{"padding": 1} | settings)
        self.rectifier = nn.ReLU()


class Residual(Sums):
    def forward(self, x):
        x = F.relu(self.first(x))
        return F.relu(x + self.second(x))


class Reversed(Sums):
    def forward(self, x):
        x = self.rectifier(self.first(x))
        return torch.add(self.second(x), x).relu()


class Twice(Sums):
    def forward(self, x):
        x = self.second(self.first(x))
        return F.relu(x + x) + x


class BothBranches(Sums):
    def forward(self, x):
        return F.relu(self.first(x) + self.second(self.first(x)))


class Broadcast(Sums):
    def forward(self, x):
        x = self.first(x)
        return F.relu(self.second(x) + x.mean((2, 3), keepdim=True))


class Weighted(Sums):
    def forward(self, x):
        x = self.first(x)
        return torch.add(x, self.second(x), alpha=3)


class SideBySide(Sums):
    def forward(self, x):
        parts = x.split([1, 3], 1)
        x = self.first(torch.cat([parts[1].amax(1, keepdim=True), parts[1]], dim=1))
        return self.second(torch.cat(tensors=[x[:, 4:], x[:, :4]], dim=1))


CASES = {
    **{kind.__name__: kind for kind in (Residual, Reversed, Twice, BothBranches, Broadcast, Weighted, SideBySide)},
    "strided": partial(Twice, stride=2),
    "dilated": partial(Twice, dilation=2),
    "grouped": partial(Residual, groups=2),
    "without bias": partial(Residual, bias=False),
    "same": partial(Residual, padding="same"),
    "reflected": partial(Residual, padding_mode="reflect"),
}


@pytest.mark.parametrize("case", CASES)
@torch.inference_mode()
def test_a_graph_computes_what_the_function_does_with_new_weights_too(case):
    function = CASES[case]().eval()
    x = torch.rand(5, 4, 6, 7)
    expected = copy.deepcopy(function)(x)
    graph = in_bfloat16(function, x)
    torch.testing.assert_close(graph(x), expected, atol=0.02, rtol=0.02)
    for parameter in function.parameters():
        parameter.mul_(-1.5)
    repack(graph)
    torch.testing.assert_close(graph(x), function(x), atol=0.05, rtol=0.02)
    assert not torch.allclose(graph(x), expected, atol=0.1)


@torch.inference_mode()
def test_sums_and_rectifiers_become_part_of_convolutions():
    model = SpatialModel(SPEC, channels=8, blocks=2).eval()
    root = roots(model, SPEC, 3)
    prepared = TorchModel(model, root, 0, bfloat16=True)
    assert prepared.narrow is not None
    _, step = prepared.narrow
    layers = dict(step.named_modules())
    called = [layers[node.target] for node in step.graph.nodes if node.op == "call_module"]
    narrow = [layer for layer in called if isinstance(layer, Convolution)]
    assert len(narrow) == 1 + 2 * 2 + 2 * 2 + 2 and all(layer.after == "relu" for layer in narrow)
    assert not any(isinstance(layer, nn.Conv2d | nn.BatchNorm2d | nn.Identity) for layer in called)
    assert [str(node.target) for node in step.graph.nodes if "add" in str(node.target)] == []


@pytest.mark.parametrize("space", [Discrete(7), Box(2)], ids=str)
@pytest.mark.parametrize("scale", ["channel", "whole", "none"])
def test_every_setting_of_the_spatial_model_can_be_traced(scale, space):
    """Else "auto" would leave it to onnxruntime without a word."""
    spec = GameSpec("s", (2, 6, 7), "float32", space, (0.0, 1.0))
    model = SpatialModel(spec, channels=8, scale=scale).eval()
    with simulating(model, roots(model, spec, 3), 1, "torch_bf16") as simulation:
        found = simulation.expand(np.zeros(3, np.int32), space.none(3), np.ones(3, np.int32))
    assert all(np.isfinite(numbers).all() for numbers in found)


# --- when ----------------------------------------------------------------------------------------------------------


def kinds(model, batch, **settings):
    """How a search with "auto" was prepared."""
    model.simulators = None
    with simulating(model, roots(model, SPEC, batch), 2, **settings):
        (prepared,) = model.simulators.models.values()
    return type(prepared), getattr(prepared, "bfloat16", False)


def test_auto_takes_bfloat16_for_large_searches_that_explore(monkeypatch):
    model = SpatialModel(SPEC, channels=64, scale="whole").eval()
    assert kinds(model, 16) == (TorchModel, True)
    assert kinds(model, 16, precise=True) == kinds(model, 4) == (OnnxModel, False)
    monkeypatch.setattr("muzero.inference.simulation.device_has_bfloat16", lambda device: False)
    assert kinds(model, 16) == (OnnxModel, False)
    with pytest.raises(ConfigError, match=r"'torch_bf16' needs a processor with instructions for bfloat16.*'auto'"):
        kinds(model, 16, path="torch_bf16")


class Branching(SpatialModel):
    """Looks at its numbers to decide what to compute."""

    def advance(self, state, action):
        return super().advance(state if float(state.sum()) > 0 else -state, action)


def test_a_model_that_cannot_be_traced_is_an_error_only_on_request():
    model = Branching(SPEC, channels=64).eval()
    assert not kinds(model, 16)[1]
    with pytest.raises(ConfigError, match="inference = 'torch_bf16': Branching cannot be traced; "):
        kinds(model, 16, path="torch_bf16")


def test_a_model_that_cannot_be_traced_is_reported_in_one_line_once(caplog, monkeypatch):
    monkeypatch.setattr("muzero.inference.fallback.WARNED", set())
    model = Branching(SPEC, channels=64).eval()
    assert kinds(SpatialModel(SPEC, channels=64).eval(), 16)[1] and not caplog.messages
    for batch in (16, 16, 20):
        assert not kinds(model, batch)[1]
    (line,) = caplog.messages
    assert line.startswith("Branching computes in float32, which is slower: it cannot be traced; ") and "\n" not in line
