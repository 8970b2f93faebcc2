"""How a run evaluates its own model: a stated number of games, greedily."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from muzero import build
from muzero.config import Config, ConfigError
from muzero.evaluation.intervals import Summary
from muzero.interfaces import GameSpec, Player, WorldModel
from muzero.play.match import Openings, Outcome, play
from muzero.players import registry
from muzero.players.planning import PlanningPlayer
from muzero.players.uniform import RandomPlayer

BATCH = 100  # games side by side
SMALL = 20  # steps of the longest game in which an opening at random would decide too much
OPENINGS = (2, 4)


class Evaluated(NamedTuple):
    """What was played, and what it cost."""

    games: dict[str, list[Outcome]]  # by what was played; the model's own first
    seconds: float


def evaluate(config: Config, model: WorldModel, count: int, baseline: bool = False) -> Evaluated:
    """Play greedily: against the opponent of the settings, or alone.

    baseline: of games for one, also the random player's.
    """
    began, settings = time.monotonic(), config.table("run")
    trained = PlanningPlayer(model, build.planner(config))
    games: dict[str, list[Outcome]] = {}
    if build.spec(config).two_player:
        opponent = registry.player(settings["opponent"])
        games[f"against {settings['opponent']}"] = played(config, trained, opponent, range(count), settings["seed"])
        opponent.close()
    else:
        games["trained"] = played(config, trained, None, range(count), settings["seed"])
        if baseline:
            games["random"] = played(config, RandomPlayer(), None, range(count), settings["seed"])
    return Evaluated(games, time.monotonic() - began)


def played(
    config: Config,
    player: Player,
    opponent: Player | None,
    numbers: Sequence[int],
    seed: int,
    openings: Openings | None = None,
    batch: int = BATCH,
) -> list[Outcome]:
    """The games of these numbers, `batch` at a time.  openings: None: as `usual_openings` has them."""
    games = build.games(config, min(len(numbers), batch), training=False)
    try:
        chosen = usual_openings(games.spec) if openings is None else openings
        outcomes: list[Outcome] = []
        for begin in range(0, len(numbers), batch):
            outcomes += play(games, player, opponent, numbers[begin : begin + batch], seed, chosen)
        return outcomes
    finally:
        games.close()


def usual_openings(spec: GameSpec) -> Openings:
    """2 to 4 random moves in games for two that are long enough for them."""
    short = not spec.two_player or (spec.max_steps is not None and spec.max_steps <= SMALL)
    return (0, 0) if short else OPENINGS


def check_opponent(config: Config) -> None:
    """Refuse a run whose opponent cannot be had, before it begins rather than at its first evaluation.

    Raises:
        ConfigError: naming the nearest known player.
        PlayerError: if the player is not there.
    """
    name = config.table("run")["opponent"]
    if name == "human":
        raise ConfigError(['[run] opponent = "human": a run would wait for a person; play with muzero-eval'])
    registry.player(name).close()


def write_results(folder: Path, results: dict[str, Summary], two_player: bool) -> None:
    """Leave the last evaluation in the run's folder."""
    report = {name: summary.report(two_player) for name, summary in results.items()}
    (folder / "evaluation.json").write_text(json.dumps(report, indent=1))
