"""What tests of games share: games of a class whose members they replace."""

import sys
from types import ModuleType

import pytest

from muzero.games.python import PythonGames


@pytest.fixture
def play(monkeypatch):
    """Games of one class, whose members are replaced by those given."""

    def build(base, batch=1, kwargs=None, **members):
        module = ModuleType("own_games")
        module.Own = type("Own", (base,), members)
        monkeypatch.setitem(sys.modules, "own_games", module)
        return PythonGames("own_games:Own", batch, True, kwargs=kwargs or {})

    return build
