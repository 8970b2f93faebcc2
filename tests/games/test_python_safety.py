"""What a name of a game of one's own may call: a class or a factory of games, and nothing else."""

import sys

import pytest

from muzero.games.errors import UnknownGame
from muzero.games.python import PythonGames

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
