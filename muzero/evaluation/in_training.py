"""How a run evaluates its own model: a given number of games, without exploration."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from contextlib import chdir, closing
from functools import partial
from pathlib import Path
from typing import NamedTuple

from muzero import build
from muzero.config import Config, ConfigError
from muzero.evaluation.intervals import Summary
from muzero.interfaces import GameSpec, Player, WorldModel
from muzero.play import match
from muzero.play.match import Openings, Outcome
from muzero.players import registry
from muzero.players.uniform import RandomPlayer
from muzero.runs.folder import RunFolder
from muzero.util.files import replace

BATCH = 100  # games side by side
SMALL = 20  # steps; in games that are never longer, a random opening would decide too much
OPENINGS = (2, 4)
Watch = Callable[[str, int, int], None]  # title, games, finished games; called after every step; may raise


class Stopped(Exception):
    """An evaluation that was asked to stop before its games were finished."""


class Evaluated(NamedTuple):
    """Finished games of an evaluation, and the time that they took."""

    games: dict[str, list[Outcome]]  # by title, as "against random"; the model's own first
    seconds: float


def evaluate(
    config: Config,
    model: WorldModel,
    count: int,
    baseline: bool = False,
    watch: Watch = lambda title, games, finished: None,
) -> Evaluated:
    """Play greedily: against the opponent of the settings, or a single-agent game.

    Args:
        config: of the run.
        model: the weights to evaluate.
        count: number of games.
        baseline: also play a single-agent game with the random player.
        watch: shows progress, or raises to end the evaluation.

    Raises:
        EnvironmentFault: if too many games of an environment break in a row.
        PlayerError: if the opponent cannot play.
    """
    began, settings = time.monotonic(), config.table("run")
    trained = build.player(config, model)
    games: dict[str, list[Outcome]] = {}

    def play_as(title: str, player: Player, opponent: Player | None) -> None:
        def seen(finished: Sequence[Outcome]) -> None:
            watch(title, count, len(finished))

        games[title] = played(config, player, opponent, range(count), settings["seed"], watch=seen)

    if build.spec(config).two_player:
        with closing(registry.player(settings["opponent"])) as opponent:
            play_as(f"against {settings['opponent']}", trained, opponent)
    else:
        play_as("trained", trained, None)
        if baseline:
            play_as("random", RandomPlayer(), None)
    return Evaluated(games, time.monotonic() - began)


def played(
    config: Config,
    player: Player,
    opponent: Player | None,
    numbers: Sequence[int],
    seed: int,
    openings: Openings | None = None,
    batch: int = BATCH,
    watch: match.Watch = lambda finished: None,
) -> list[Outcome]:
    """Play the games of these numbers, `batch` at a time; see `muzero.play.match.play`.

    openings: None for `usual_openings`.
    """
    with chdir("."), closing(build.games(config, min(len(numbers), batch), training=False)) as games:
        chosen = usual_openings(games.spec) if openings is None else openings
        outcomes: list[Outcome] = []
        for begin in range(0, len(numbers), batch):
            part = numbers[begin : begin + batch]
            seen = partial(lambda before, finished: watch([*before, *finished]), list(outcomes))
            outcomes += match.play(games, player, opponent, part, seed, chosen, seen)
        return outcomes


def usual_openings(spec: GameSpec) -> Openings:
    """Return 2 to 4 random moves for two-player games that are long enough, and none for other games."""
    short = not spec.two_player or (spec.max_steps is not None and spec.max_steps <= SMALL)
    return (0, 0) if short else OPENINGS


def check_opponent(config: Config) -> None:
    """Refuse a run whose opponent does not exist, before the run begins rather than at its first evaluation.

    Raises:
        ConfigError: naming the nearest known player.
        PlayerError: if the player is not installed or cannot be started.
    """
    name = config.table("run")["opponent"]
    if name == "human":
        raise ConfigError(['[run] opponent = "human": a run would wait for a person; play with muzero-eval'])
    registry.player(name).close()


def write_results(folder: Path, results: dict[str, Summary], two_player: bool) -> None:
    """Write the last evaluation to evaluation.json in the run's folder."""
    report = {name: summary.report(two_player) for name, summary in results.items()}
    replace(RunFolder(folder).evaluation, json.dumps(report, indent=1))
