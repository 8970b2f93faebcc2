"""More games than there is memory for are refused before anything is made."""

import resource

import pytest

from muzero import build
from muzero.config import ConfigError, parse_settings
from muzero.data.schema import row_bytes
from muzero.util import memory


def configured(*settings, game="gym/CartPole-v1"):
    return build.configure(game, [parse_settings(list(settings))])


def test_games_that_need_more_memory_than_there_is_are_refused(monkeypatch):
    size = row_bytes(build.spec(configured()))
    monkeypatch.setattr(memory, "limit", lambda: 100 * 50 * size)
    configured("run.games=100", "selfplay.segment_steps=50")
    with pytest.raises(ConfigError, match=r"\[run\] games = 101 \(from --set\) would need 0\.0 GB .* this machine has"):
        configured("run.games=101", "selfplay.segment_steps=50")
    with pytest.raises(ConfigError, match=r"games = 60 in each of 2 actors"):
        configured("run.games=60", "selfplay.segment_steps=50", "actors.count=2")
    configured("run.games=60", "selfplay.segment_steps=50", "actors.count=2", "actors.address=far:1")


def test_large_games_are_refused_by_the_memory_of_this_machine():
    with pytest.raises(ConfigError, match=r"would need [\d,]+\.\d GB for steps under way"):
        configured("run.games=65536", "selfplay.segment_steps=10000", game="board/go")


def test_the_limit_is_the_smallest_of_machine_container_and_process(monkeypatch, tmp_path):
    monkeypatch.setattr(memory, "CONTAINER", (tmp_path / "max", tmp_path / "missing"))
    monkeypatch.setattr(resource, "getrlimit", lambda which: (resource.RLIM_INFINITY,) * 2)
    (tmp_path / "max").write_text("max\n")
    machine = memory.limit()
    (tmp_path / "max").write_text("1000000\n")
    assert memory.limit() == 1_000_000 < machine
    monkeypatch.setattr(resource, "getrlimit", lambda which: (1000, 1000))
    assert memory.limit() == 1000
