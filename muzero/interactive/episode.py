"""One episode of an evaluation, from step to step: what is seen, what the agent thinks of it, and what it earns."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from muzero.agent import Agent
from muzero.interactive.thoughts import Move, Thoughts, think
from muzero.interfaces import RESIGN, Games, Moves, Player, Positions, Rules
from muzero.planners.searching import TreePlanner
from muzero.play.match import Openings, Table
from muzero.play.position import played_name

KEPT = 400  # steps whose values and rewards are remembered, to be drawn


@dataclass(frozen=True)
class Scene:
    """A position of an episode, and what followed from it."""

    step: int  # actions before it
    mine: bool  # whether the player under test is to move
    observation: np.ndarray  # [*observation] of the player to move
    rules: Rules | None  # the position; None where the rules cannot be consulted
    frame: np.ndarray | None  # [H, W, 3] uint8, the environment's own picture
    score: float  # so far, to the player under test
    before: Rules | None = None  # the position before the last move
    thoughts: Thoughts | None = None  # of the player to move; None if it does not say, and at the end
    value: float = float("nan")  # that the player to move expects for itself
    action: str = ""  # what was played; empty at the end
    opening: bool = False  # whether it was a random move of the opening
    reward: float = 0.0  # that it gave, to the player who moved
    predicted: float | None = None  # the reward that the model expected of it; None: it does not say
    broken: bool = False  # the environment failed then, and the episode begins again
    over: bool = False
    ended: str = ""  # why it is over, in words


class Thinker(Player):
    """A trained agent that plays as in an evaluation, and whose thoughts of its last move can be read."""

    title = "muzero"

    def __init__(self, agent: Agent) -> None:
        self.agent, self._player = agent, agent.player
        self.thoughts: Thoughts | None = None

    def start(self, batch: int) -> Any:
        return self._player.start(batch)

    def act(self, positions: Positions, memory: Any) -> tuple[Moves, Any]:
        """Choose in one position; where the model remembers, without thoughts."""
        self.thoughts = None
        tree = isinstance(self._player.planner, TreePlanner)
        if self._player.remembers or (tree and memory.carry):
            return self._player.act(positions, memory)
        decision = None
        if not tree:  # it may remember its last plan
            decision, memory = self._player.decide(positions, memory)
        rules = positions.rules[0] if positions.rules else None
        self.thoughts = found = think(self.agent, positions.observation, positions.legal, rules, decision)
        return Moves(np.asarray(found.action)[None], np.array([found.value], np.float32)), memory


class Heard(Player):
    """Another player, of whose last move the value is kept."""

    def __init__(self, player: Player) -> None:
        self.player, self.title, self.value = player, player.title, float("nan")

    def start(self, batch: int) -> Any:
        return self.player.start(batch)

    def act(self, positions: Positions, memory: Any) -> tuple[Moves, Any]:
        moves, memory = self.player.act(positions, memory)
        self.value = float(moves.value[0])
        return moves, memory


def scenes(
    games: Games, player: Player, opponent: Player | None, number: int, seed: int, openings: Openings
) -> Iterator[Scene]:
    """Play one game as `muzero.play.match.play` does, and show every position after the move there was chosen.

    Args:
        games: a batch of one.
        player: the player under test.
        opponent: the other player; None in games of a single agent.
        number: of the game; the player under test moves first in games of even number.
        seed: all randomness follows from it and the number.
        openings: fewest and most uniformly random moves that the game begins with.

    Raises:
        PlayerError: if a player cannot play.
        EnvironmentFault: if too many games of an environment break in a row.
    """
    sides = [Heard(each) for each in ([player] if opponent is None else [player, opponent])]
    table, before = Table(games, sides, [number], seed, openings), None
    while not table.done[0]:
        now = table.now
        if now.last[0] and not now.first[0]:  # the opening ended the game: another one begins
            table.step()
            before = None
            continue
        seen = _seen(games, table)
        mover = sides[0 if seen["mine"] else 1]
        mover.value, opening = float("nan"), table.steps[0] < len(table.forced[0])
        table.step()
        broken = bool(table.now.first[0]) and not table.done[0]
        resigned = table.outcomes[0] is not None and table.outcomes[0].resigned
        action = RESIGN if resigned else table.action[0]
        thoughts = mover.player.thoughts if isinstance(mover.player, Thinker) and not opening else None
        yield Scene(
            **seen,
            before=before,
            thoughts=thoughts,
            value=mover.value,
            action="resigns" if resigned else played_name(seen["rules"], games.spec.actions, action),
            opening=bool(opening),
            reward=0.0 if resigned or broken else float(table.now.reward[0]),
            predicted=None if thoughts is None else thoughts.reward,
            broken=broken,
        )
        before = None if broken or resigned else seen["rules"]
    yield Scene(**_seen(games, table), before=before, over=True, ended=_ended(table))


def _seen(games: Games, table: Table) -> dict[str, Any]:
    """What a position shows before a move is made in it."""
    rules = games.rules([0])
    return {
        "step": int(table.steps[0]),
        "mine": bool(table.turn[0] == table.seat[0]),
        "observation": table.now.observation[0],
        "rules": rules[0] if rules else None,
        "frame": games.frame(0),
        "score": float(table.score[0]),
    }


def _ended(table: Table) -> str:
    outcome = table.outcomes[0]
    assert outcome is not None
    if outcome.resigned:
        return "resigned"
    cut = bool(table.now.truncated[0])
    if table.two and not cut:
        return "won" if outcome.score > 0 else "lost" if outcome.score < 0 else "drawn"
    return f"cut at its limit of {outcome.steps:,} steps" if cut else "the game is over"


def chosen_first(thoughts: Thoughts) -> list[Move]:
    """The legal moves: the chosen one, then those that were visited most, or are the most probable."""
    return sorted(thoughts.moves, key=lambda move: (not thoughts.chose(move), -move.visits, -move.policy))


@dataclass
class Trace:
    """Values and rewards of the last steps, seen by the player under test; memory is bounded."""

    values: deque[float] = field(default_factory=lambda: deque(maxlen=KEPT))  # NaN where none was given
    rewards: deque[float] = field(default_factory=lambda: deque(maxlen=KEPT))
    predictions: deque[float] = field(default_factory=lambda: deque(maxlen=KEPT))  # of rewards; NaN where none
    steps: int = 0  # that were added in all

    def add(self, scene: Scene) -> None:
        """Add a scene whose action was played."""
        if scene.over:
            return
        sign = 1 if scene.mine else -1
        self.steps += 1
        self.values.append(sign * scene.value)
        self.rewards.append(sign * scene.reward)
        self.predictions.append(float("nan") if scene.predicted is None else sign * scene.predicted)


def finite(numbers: Sequence[float] | deque[float]) -> list[float]:
    """Those that are numbers."""
    return [number for number in numbers if np.isfinite(number)]
