"""Evaluation: players, games between them, and what the scores are worth."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch

from muzero.inference import observe_first
from muzero.interfaces import Games, Planner, WorldModel


@dataclass(frozen=True)
class Positions:
    """What a player sees of B positions in which it is to move."""

    observation: np.ndarray  # [B, *observation]
    legal: np.ndarray  # [B, A] bool
    states: Sequence[Any] | None  # pyspiel states, for board games


class Player(Protocol):
    """Somebody to play."""

    def act(self, positions: Positions) -> np.ndarray:
        """Actions [B] int64."""
        ...


class RandomPlayer:
    """Plays uniformly among the legal actions."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def act(self, positions: Positions) -> np.ndarray:
        return np.where(positions.legal, self.rng.random(positions.legal.shape), -1).argmax(1)


class PlanningPlayer:
    """Plays a model by planning, without exploring.  Each position stands alone: models with memory are not served."""

    def __init__(self, model: WorldModel, planner: Planner) -> None:
        self.model, self.planner = model.eval(), planner
        self.device = next(iter(model.parameters()), torch.empty(0)).device
        self.rng = np.random.default_rng(0)  # planners ask for one; without exploring they draw nothing

    @torch.inference_mode()
    def act(self, positions: Positions) -> np.ndarray:
        observation = torch.from_numpy(positions.observation).to(self.device)
        root = observe_first(self.model, observation)
        decision, _ = self.planner.plan(self.model, root, positions.legal, None, self.rng, explore=False)
        return decision.action


class MinimaxPlayer:
    """Plays perfectly, uniformly among the best moves, in games small enough to be searched to the end."""

    def __init__(self, seed: int, largest: int = 1_000_000) -> None:
        """largest: positions to solve before giving up."""
        self.rng = np.random.default_rng(seed)
        self.largest = largest
        self.solved: dict[str, float] = {}

    def act(self, positions: Positions) -> np.ndarray:
        if positions.states is None:
            raise ValueError("minimax plays board games only: their rules are known")
        return np.array([self.rng.choice(self.best(state)) for state in positions.states], np.int64)

    def best(self, state: Any) -> list[int]:
        """All optimal actions."""
        values = {action: self._sign(state) * self.value(state.child(action)) for action in state.legal_actions()}
        top = max(values.values())
        return [action for action, value in values.items() if value == top]

    def value(self, state: Any) -> float:
        """Outcome for player 0 if both play perfectly.

        Raises:
            ValueError: if the game is too large.
        """
        if state.is_terminal():
            return state.returns()[0]
        key = f"{state.current_player()} {state}"
        if key not in self.solved:
            if len(self.solved) >= self.largest:
                raise ValueError(f"{state.get_game()} has more than {self.largest:,} positions; too large for minimax")
            sign = self._sign(state)
            self.solved[key] = max(sign * self.value(state.child(a)) for a in state.legal_actions()) * sign
        return self.solved[key]

    @staticmethod
    def _sign(state: Any) -> int:
        return 1 if state.current_player() == 0 else -1


class Outcome(NamedTuple):
    """One finished game."""

    score: float  # to the player under test
    seat: int  # 0: it moved first
    steps: int


def play(games: Games, player: Player, opponent: Player | None, count: int, seed: int) -> list[Outcome]:
    """Play `count` games to the end; against an opponent, taking the first seat in every other game.

    Each slot plays its share, however long its games are, so short games are not counted more often than long ones.
    """
    batch = games.batch
    slots = np.arange(batch)
    share = count // batch + (slots < count % batch)
    played = np.zeros(batch, np.int64)
    seat = slots % 2 if opponent else np.zeros(batch, np.int64)
    turn, score, steps = np.zeros(batch, np.int64), np.zeros(batch), np.zeros(batch, np.int64)
    outcomes: list[Outcome] = []
    now = games.reset(np.random.SeedSequence([seed, 1]).generate_state(batch, np.uint32).astype(np.int64))
    while (played < share).any():
        running = ~(now.last & ~now.first) & (played < share)
        action = np.zeros(batch, np.int64)
        for who, rows in ((player, running & (turn == seat)), (opponent, running & (turn != seat))):
            if who is not None and rows.any():
                action[rows] = who.act(_positions(games, now, rows))
        action = np.where(running, action, now.legal.argmax(1))
        now = games.step(action)
        broken = running & now.first  # by a fault: it is played again
        score += np.where(running & (turn == seat), now.reward, np.where(running, -now.reward, 0))
        steps += running
        turn = np.where(running & (now.discount < 0), 1 - turn, turn)
        for slot in np.flatnonzero(running & now.last):
            outcomes.append(Outcome(float(score[slot]), int(seat[slot]), int(steps[slot])))
        played += running & now.last
        turn[now.first], score[now.first], steps[now.first] = 0, 0, 0
        if opponent:
            seat = np.where(now.first & ~broken, 1 - seat, seat)
    return outcomes


def _positions(games: Games, now: Any, rows: np.ndarray) -> Positions:
    states = getattr(games, "states", None)
    chosen = [states[row] for row in np.flatnonzero(rows)] if states is not None else None
    return Positions(now.observation[rows], now.legal[rows], chosen)


@dataclass(frozen=True)
class Summary:
    """What a list of outcomes says."""

    outcomes: list[Outcome]

    @cached_property
    def scores(self) -> np.ndarray:
        """[games]."""
        return np.array([outcome.score for outcome in self.outcomes])

    @property
    def mean(self) -> float:
        """Mean score."""
        return float(self.scores.mean())

    @property
    def margin(self) -> float:
        """Half of the 95 % interval of the mean (normal approximation)."""
        count = len(self.scores)
        return float(1.96 * self.scores.std(ddof=1) / math.sqrt(count)) if count > 1 else math.inf

    def tally(self, seat: int | None = None) -> dict[str, int]:
        """Wins, draws and losses, of one seat or of both."""
        scores = [o.score for o in self.outcomes if seat is None or o.seat == seat]
        return {
            "wins": sum(score > 0 for score in scores),
            "draws": sum(score == 0 for score in scores),
            "losses": sum(score < 0 for score in scores),
        }

    def report(self, two_player: bool) -> dict[str, Any]:
        """Plain values for JSON."""
        report: dict[str, Any] = {
            "games": len(self.outcomes),
            "mean": self.mean,
            "interval_95": [self.mean - self.margin, self.mean + self.margin],
            "mean_steps": float(np.mean([outcome.steps for outcome in self.outcomes])),
        }
        if two_player:
            report |= self.tally() | {"moving_first": self.tally(0), "moving_second": self.tally(1)}
        else:
            report |= {"min": float(self.scores.min()), "max": float(self.scores.max())}
        return report


def move_quality(player: Player, oracle: MinimaxPlayer, start: Any, view: Any, batch: int = 512) -> tuple[int, int]:
    """How often a player chooses an optimal move, over every position of a small game in which somebody is to move.

    Args:
        start: the initial pyspiel state.
        view: function from states to the `Positions` of them.

    Returns:
        number of positions with an optimal choice, number of positions.
    """
    seen: dict[str, Any] = {}
    waiting = [start]
    while waiting:
        state = waiting.pop()
        key = f"{state.current_player()} {state}"
        if state.is_terminal() or key in seen:
            continue
        seen[key] = state
        waiting += [state.child(action) for action in state.legal_actions()]
    states = list(seen.values())
    right = 0
    for begin in range(0, len(states), batch):
        some = states[begin : begin + batch]
        right += sum(
            int(action) in oracle.best(state) for action, state in zip(player.act(view(some)), some, strict=True)
        )
    return right, len(states)


def write_results(folder: Path, results: dict[str, Summary], two_player: bool) -> None:
    """Leave the last evaluation in the run's folder."""
    report = {name: summary.report(two_player) for name, summary in results.items()}
    (folder / "evaluation.json").write_text(json.dumps(report, indent=1))
