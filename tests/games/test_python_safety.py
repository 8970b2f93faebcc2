"""What a game of one's own may do: its name calls a class or a factory of games, its settings of torch stay its own."""

import sys

import killing
import numpy as np
import pytest
import torch
from rich.console import Console

from muzero import build
from muzero.games import torch_settings
from muzero.games.errors import UnknownGame
from muzero.games.python import PythonGames
from muzero.training.progress import Progress

CORRIDOR = """
import sample_games
from sample_games import Corridor
called = []
def factory() -> sample_games.Corridor: return Corridor()
def unannotated(): called.append(1); return Corridor()
def number() -> int: called.append(1); return 1
def broken() -> "Nowhere": called.append(1); return Corridor()
class Closed:
    def __init__(self): called.append(1)
class HalfOpen(Closed):
    def reset(self): pass
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    (tmp_path / "named.py").write_text(CORRIDOR)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("named", None)


@pytest.mark.parametrize(
    "name", ["os:abort", "os:environ", "http.server:test", "sys:exit", "builtins:input", "os:path"]
)
def test_what_is_not_a_game_is_refused_without_being_called(name):
    with pytest.raises(UnknownGame, match="is not a class with the methods reset and step"):
        PythonGames(name, 1, True)


@pytest.mark.parametrize("name", ["unannotated", "number", "broken", "called", "Closed", "HalfOpen"])
def test_a_member_that_does_not_declare_a_game_is_not_called(module, name):
    with pytest.raises(UnknownGame, match=f"named:{name}"):
        PythonGames(f"named:{name}", 1, True)
    assert sys.modules["named"].called == []


@pytest.mark.parametrize("name", ["Corridor", "factory"])
def test_a_class_and_an_annotated_factory_make_games(module, name):
    assert PythonGames(f"named:{name}", 2, True).spec.actions.columns == 2


TORCH = """
import torch
from sample_games import Corridor

OWN = (torch.float64, torch.device("meta"), False)
seen = []

def look():
    made = torch.empty(0)
    seen.append((made.dtype, made.device, torch.is_grad_enabled()))

def change():
    torch.set_default_dtype(OWN[0]), torch.set_default_device(OWN[1]), torch.set_grad_enabled(OWN[2])

class AtReset(Corridor):
    def reset(self, **named):
        change()
        return super().reset(**named)

    def step(self, action):
        look()
        return super().step(action)

class AtStep(Corridor):
    def step(self, action):
        look()
        change()
        return super().step(action)
"""


@pytest.fixture(params=["AtImport", "AtReset", "AtStep"])
def own_settings(request, tmp_path, monkeypatch):
    """The name of a game that changes PyTorch's settings: default dtype, default device, gradients."""
    text = TORCH if request.param != "AtImport" else TORCH + "AtImport = AtStep\nchange()\n"
    (tmp_path / "own_settings.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    sys.modules.pop("own_settings", None)
    yield f"python/own_settings:{request.param}"
    del sys.modules["own_settings"]
    torch_settings._of_environments = None


def test_torch_settings_of_an_environment_are_in_force_in_it_alone(own_settings):
    before = torch_settings.TorchSettings.now()
    games = build.games(build.configure(own_settings, []), 2, True)
    games.reset(np.arange(2))
    for _ in range(3):
        games.step(np.zeros(2, int))
        assert torch_settings.TorchSettings.now() == before
    module = sys.modules["own_settings"]
    assert before != module.OWN and module.seen[-4:] == [module.OWN] * 4


def test_a_game_with_torch_settings_of_its_own_is_learned_as_without(own_settings, tmp_path):
    def trained(game):
        training = killing.made(tmp_path / game, game, "run.steps=200")
        training.run(Progress(tmp_path / game, Console(quiet=True)))
        training.close()
        assert training.learner.updates > 5
        return training.learner.weights()

    found, expected = trained(own_settings), trained("python/sample_games:Corridor")
    assert all(torch.equal(found[name], expected[name]) for name in expected)
