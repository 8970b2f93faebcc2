"""What tests of games share: environments whose members or answers they replace."""

import sys
from types import ModuleType

import pytest
from misbehaving import Misbehaving

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


@pytest.fixture
def misbehave(monkeypatch):
    """A function that says how `Misbehaving` environments answer from now on."""

    def according_to(plan):
        monkeypatch.setattr(Misbehaving, "plan", staticmethod(plan))
        monkeypatch.setattr(Misbehaving, "made", 0)

    return according_to
