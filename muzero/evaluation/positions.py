"""Move quality compared with perfect play, in positions where the score of every move is known."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from muzero import build
from muzero.config import Config
from muzero.evaluation.intervals import finite, wilson
from muzero.interfaces import Player, PlayerError, Positions, Rules
from muzero.players.perfect import PerfectPlayer, outcome
from muzero.util.seeds import derive, derive_short
from muzero.util.text import escaped, printable

BATCH = 256  # positions that a player is asked about together
PLIES = (0, 4, 8, 12, 16, 20, 24, 28, 32, 36, 40)  # first number of plies of each group
FEWEST, MOST = 2, 32  # plies of generated positions
TRIES = 1000  # random games for each position wanted, before giving up
LARGEST = 64 << 20  # bytes of a file of positions
Watch = Callable[[int], None]  # called with the number of positions that are done; may raise to end the work


class PositionsError(ValueError):
    """Positions that cannot be read; the message names file and line."""


@dataclass(frozen=True)
class Scored:
    """A position and the score of every move: above 0 the mover wins, 0 is a draw, below 0 it loses."""

    moves: list[int]  # from the beginning of the game
    scores: dict[int, float]

    @property
    def best(self) -> float:
        """The score of the best moves in the position."""
        return max(self.scores.values())


def start(config: Config) -> Rules | None:
    """The first position of a game; None if its rules cannot be consulted."""
    games = build.games(config, 1, training=False)
    try:
        games.reset(np.zeros(1, np.int64))
        found = games.rules([0])
        return found[0] if found else None
    finally:
        games.close()


def read(path: Path, start: Rules) -> list[Scored]:
    """Positions from a file of lines {"moves": [3, 2], "scores": {"0": -1, ...}}.

    start: the first position of the game.

    Raises:
        PositionsError: naming the line and what is wrong with it.
    """
    name = escaped(str(path))
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise PositionsError(f"--positions {name}: that is not a regular file; expected a file of JSON lines")
        if status.st_size > LARGEST:
            size = f"{status.st_size / 2**20:,.0f} MiB"
            raise PositionsError(f"--positions {name}: {size}, expected at most {LARGEST >> 20} MiB; split the file")
        lines = path.read_text("utf-8").splitlines()
    except FileNotFoundError:
        raise PositionsError(f"--positions {name}: no such file; expected a file, all, fresh or fresh:N") from None
    except (OSError, UnicodeDecodeError) as error:
        raise PositionsError(f"--positions {name}: {getattr(error, 'strerror', None) or error}") from error
    found = [_parse(f"{name}:{number}", line, start) for number, line in enumerate(lines, 1) if line.strip()]
    if not found:
        raise PositionsError(f"--positions {name}: the file holds no position")
    return found


def _parse(where: str, line: str, start: Rules) -> Scored:
    try:
        row = json.loads(line)
        moves = [int(move) for move in row["moves"]]
        scores = {int(move): float(score) for move, score in row["scores"].items()}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        expected = '{"moves": [3, 2], "scores": {"0": -1, ...}}'
        raise PositionsError(f"{where}: expected {expected}, got {printable(line)} ({error!r})") from error
    legal = _after(start, moves, where).legal()
    if not legal or sorted(scores) != sorted(legal):
        raise PositionsError(f"{where}: scores are of the moves {sorted(scores)}; legal there are {sorted(legal)}")
    if not np.isfinite(list(scores.values())).all():
        raise PositionsError(f"{where}: a score is not finite")
    return Scored(moves, scores)


def _after(start: Rules, moves: Sequence[int], where: str) -> Rules:
    rules = start
    for number, move in enumerate(moves, 1):
        if move not in rules.legal():
            raise PositionsError(f"{where}: move {number}, {move}, is not legal in {start.game}")
        rules = rules.child(move)
    return rules


def write(path: Path, positions: Iterable[Scored]) -> None:
    """Write positions to a file that `read` reads."""
    rows = (
        {"moves": each.moves, "scores": {str(move): score for move, score in each.scores.items()}} for each in positions
    )
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")


def everywhere(start: Rules, oracle: PerfectPlayer, watch: Watch = lambda count: None) -> list[Scored]:
    """Every position of a small game in which a player is to move."""
    seen: dict[str, Scored] = {}
    waiting = [start]
    while waiting:
        rules = waiting.pop()
        if rules.over or rules.key() in seen:
            continue
        seen[rules.key()] = Scored(list(rules.history), oracle.scores(rules))
        watch(len(seen))
        waiting += [rules.child(action) for action in rules.legal()]
    return list(seen.values())


def fresh(
    start: Rules,
    oracle: PerfectPlayer,
    count: int,
    seed: int,
    longest: int | None = None,
    watch: Watch = lambda count: None,
) -> list[Scored]:
    """Positions after 2 to 32 random plies in which moves differ in outcome, no two alike.

    Args:
        start: the first position of the game.
        oracle: knows the scores of moves.
        count: number of positions.
        seed: of the plies.
        longest: plies of the longest game, if known.
        watch: called after each random game.

    Raises:
        PositionsError: if the game has too few of them.
    """
    rng = np.random.default_rng(derive(seed, "fresh positions"))
    most = MOST if longest is None else min(MOST, longest - 1)
    found: dict[str, Scored] = {}
    for _ in range(TRIES * count):
        rules = start
        for _ in range(rng.integers(FEWEST, most + 1)):
            rules = rules.child(int(rng.choice(rules.legal())))
            if rules.over:
                break
        if rules.over or rules.key() in found:
            continue
        scores = oracle.scores(rules)
        if len({outcome(score) for score in scores.values()}) > 1:
            found[rules.key()] = Scored(list(rules.history), scores)
        watch(len(found))
        if len(found) == count:
            return list(found.values())
    raise PositionsError(
        f"--positions fresh:{count}: {start.game} gave only {len(found)} positions in which moves differ"
    )


@dataclass(frozen=True)
class Quality:
    """What a player chose in each of P positions."""

    plies: np.ndarray  # [P]
    optimal: np.ndarray  # [P] bool, the chosen move has the best score
    preserving: np.ndarray  # [P] bool, the chosen move has the best outcome
    error: np.ndarray  # [P] the player's value minus the outcome of perfect play; NaN for players without a value

    def report(self) -> dict[str, Any]:
        """Plain values for JSON, in all and by number of plies."""
        ends = [*PLIES[1:], 10**9]
        groups = {
            f"{low}-{high - 1}": (self.plies >= low) & (self.plies < high)
            for low, high in zip(PLIES, ends, strict=True)
        }
        by_plies = {name: self._figures(rows) for name, rows in groups.items() if rows.any()}
        return self._figures(np.ones(len(self.plies), bool)) | {"by_plies": by_plies}

    def _figures(self, rows: np.ndarray) -> dict[str, Any]:
        count = int(rows.sum())
        optimal, preserving = float(self.optimal[rows].mean()), float(self.preserving[rows].mean())
        error = float(np.abs(self.error[rows]).mean())
        return {
            "positions": count,
            "optimal": optimal,
            "optimal_interval_95": list(wilson(optimal, count)),
            "outcome_preserving": preserving,
            "outcome_preserving_interval_95": list(wilson(preserving, count)),
            "value_error": finite(error),
        }


def quality(
    player: Player, positions: Sequence[Scored], start: Rules, seed: int, watch: Watch = lambda count: None
) -> Quality:
    """Compare the moves that a player chooses with the scores of all moves.

    Args:
        player: the player under test.
        positions: with the scores of all moves.
        start: the first position of the game.
        seed: of the player's random choices.
        watch: called after each batch of positions.

    Raises:
        PlayerError: if it resigns, or chooses what is not legal.
    """
    optimal, preserving, error = [], [], []
    memory = player.start(min(BATCH, len(positions)))  # positions stand alone: each is asked as at the start
    for begin in range(0, len(positions), BATCH):
        some = positions[begin : begin + BATCH]
        seeds = np.array([derive_short(seed, "position", begin + place) for place in range(len(some))], np.int64)
        asked = Positions.of([_after(start, each.moves, "a position") for each in some], seeds)
        moves, _ = player.act(asked, memory)
        for each, action, value in zip(some, moves.action.tolist(), moves.value.tolist(), strict=True):
            if action not in each.scores:
                raise PlayerError(f"the player chose {action} after {each.moves}; legal are {sorted(each.scores)}")
            optimal.append(each.scores[action] == each.best)
            preserving.append(outcome(each.scores[action]) == outcome(each.best))
            error.append(value - outcome(each.best))
        watch(len(optimal))
    plies = np.array([len(each.moves) for each in positions])
    return Quality(plies, np.array(optimal), np.array(preserving), np.array(error))
