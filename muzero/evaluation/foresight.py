"""What a model imagines along real games, step by step, beside what came."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import chdir, closing
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from muzero import build
from muzero.config import Config
from muzero.data.schema import Segment
from muzero.evaluation.calibration import LEAST, Predicted, TooFewTargets, auroc, figures
from muzero.interfaces import Games, Latent, Planner, WorldModel
from muzero.planners.reactive import ReactivePlanner
from muzero.play.selfplay import SelfPlay
from muzero.util.seeds import derive

HORIZONS = (1, 2, 3, 5, 10)  # imagined steps after which rewards and values are compared
BATCH = 16  # games side by side: few, so that each can play several
ROUND = 8  # steps between two looks at how far the games are
MOST = 20_000  # positions; then all games are cut
REST = 0.02  # weight of what lies behind a cut, up to which the return before it counts as whole
Watch = Callable[[str], None]  # how far it is, in words; may raise to end the work


@dataclass(frozen=True)
class RealGame:
    """T steps of a game that was played."""

    observation: NDArray  # [T or T + 1, *observation]
    action: NDArray  # [T, *shape of an action]
    reward: NDArray  # [T]
    returns: NDArray  # [T] discounted, to the end of the game; NaN where a cut hides too much of it

    @property
    def steps(self) -> int:
        """T."""
        return len(self.reward)

    @classmethod
    def of(cls, segments: Sequence[Segment]) -> RealGame:
        """The game of these segments, in order, up to the first that is missing."""
        there = [segment for number, segment in enumerate(segments) if segment.id.sequence == number]
        rows = {name: np.concatenate([part.columns[name] for part in there]) for name in there[0].columns}
        steps = sum(segment.steps for segment in there)
        reward, discount = rows["reward"][:steps], rows["discount"][:steps]
        return cls(rows["observation"], rows["action"][:steps], reward, whole_returns(reward, discount))


def whole_returns(reward: NDArray, discount: NDArray) -> NDArray:
    """[T] float64 sums of the rewards that follow, each for the player to move there.

    A game that does not end with a discount of 0 was cut.  Nothing stands for what came after: positions from which it
    would weigh more than `REST` have NaN.

    Args:
        reward: [T] to the player who moved.
        discount: [T] signed.
    """
    found, total, weight = np.full(len(reward), np.nan), 0.0, 1.0
    for t in reversed(range(len(reward))):
        total, weight = float(reward[t] + discount[t] * total), float(abs(discount[t]) * weight)
        found[t] = total if weight <= REST else np.nan
    return found


def play(
    games: Games,
    model: WorldModel,
    planner: Planner,
    count: int,
    seed: int,
    random_actions: float = 0.0,
    watch: Watch = lambda text: None,
) -> list[RealGame]:
    """Play games as a run does to learn, with exploration.

    Args:
        games: are played side by side.
        model: of the run.
        planner: plays.
        count: number of games; where they have more than `MOST` positions, those under way are cut.
        seed: of the games.
        random_actions: share of actions that are drawn uniformly.
        watch: shows progress, or raises to end the play.
    """
    parts: dict[int, list[Segment]] = {}
    playing = SelfPlay(games, model, planner, derive(seed, "calibration"), random_actions=random_actions)
    positions = 0
    # Each slot plays the games of its own numbers to their ends: the first that end would be the shortest.
    while playing.game.min() < count and positions < MOST:
        for segment in playing.play(ROUND).segments:
            if segment.id.game < count:
                parts.setdefault(segment.id.game, []).append(segment)
        positions += ROUND * games.batch
        watch(f"{positions:,} positions played of {count:,} games")
    found = (RealGame.of(each) for each in parts.values() if each[0].id.sequence == 0)
    return [game for game in found if game.steps]


@torch.inference_mode()
def compare(
    model: WorldModel,
    games: Sequence[RealGame],
    rng: np.random.Generator,
    horizons: Sequence[int] = HORIZONS,
    watch: Watch = lambda text: None,
) -> dict[tuple[str, int], Predicted]:
    """Imagine from every position along the actions that were taken, and note what the heads say.

    A game is observed from its beginning, as when it was played.  Models that draw at random imagine the most probable.

    Args:
        model: in eval mode.
        games: that were played.
        rng: decides ties.
        horizons: ascending steps after which to compare; values also after none.
        watch: shows progress, or raises to end the work.

    Returns:
        ("reward", k): of the k-th imagined step.  ("value", k): of the position that it leads to, or for k = 0 of the
        one that was observed; positions without a known return are among them.
    """
    found: dict[tuple[str, int], list[Predicted]] = {}
    longest = sorted(games, key=lambda game: -game.steps)  # so that those that go on are the first rows
    device = next(iter(model.parameters()), torch.empty(0)).device

    def sent(array: NDArray) -> Tensor:
        return torch.as_tensor(array).to(device)

    def note(name: str, horizon: int, head: Any, target: list[float]) -> None:
        said = Predicted.of(head, sent(np.array(target, np.float32)), np.arange(len(target)), rng)
        found.setdefault((name, horizon), []).append(said)

    done = 0
    memory, before = model.memory(len(games)), sent(model.space.none(len(games)))
    for t in range(longest[0].steps if games else 0):
        here = some = going_on(longest, t + 1)
        seen, first = sent(np.stack([game.observation[t] for game in some])), torch.full((len(some),), t == 0)
        memory = model.observe(rows(memory, len(some)), before[: len(some)], seen, first.to(device))
        note("value", 0, model.predict(memory).value, [game.returns[t] for game in some])
        before, latent = sent(np.stack([game.action[t] for game in some])), memory
        for k in range(1, horizons[-1] + 1):
            some = going_on(some, t + k)
            if not some:
                break
            action = sent(np.stack([game.action[t + k - 1] for game in some]))
            latent, transition = model.imagine(rows(latent, len(some)), action)
            if k in horizons:
                note("reward", k, transition.reward, [game.reward[t + k - 1] for game in some])
                note("value", k, model.predict(latent).value, list(after(some, t + k)))
        done += len(here)
        watch(f"imagined from {done:,} positions")
    return {key: Predicted.joined(parts) for key, parts in found.items()}


def going_on(longest: Sequence[RealGame], steps: int) -> list[RealGame]:
    """Those of the games, the longest first, that have so many steps."""
    return list(takewhile(lambda game: game.steps >= steps, longest))


def rows(latent: Latent, count: int) -> Latent:
    """The first rows of a latent."""
    return {name: tensor[:count] for name, tensor in latent.items()}


def after(games: Sequence[RealGame], t: int) -> Iterator[float]:
    """The returns from position t on; NaN for games that end there."""
    return (game.returns[t] if game.steps > t else np.nan for game in games)


def measure(
    config: Config,
    model: WorldModel,
    planner: Planner,
    count: int,
    seed: int,
    watch: Watch = lambda text: None,
) -> dict[str, Any]:
    """How well a model knows what it predicts in games that it has not learned from; plain values for JSON.

    Args:
        config: of the run.
        model: of the run, as it learned: not averaged over symmetries, which leaves numbers without a distribution.
        planner: plays, with exploration.
        count: number of games.
        seed: of the games and of ties.
        watch: shows progress, or raises to end the work.

    Returns:
        "rows": the figures of each number and horizon, see `muzero.evaluation.calibration.figures`; "beyond" marks
        horizons further than the model was unrolled while it learned.  "left_out": those with too few targets.
        "outside": whether members differ more in positions of random play, see `unfamiliar`; None for one member.

    Raises:
        TooFewTargets: if there are fewer than 200 rewards.
    """
    rng = np.random.default_rng(derive(seed, "ties"))
    unroll = build.objective(config, build.spec(config), model).unroll
    with chdir("."), closing(build.games(config, min(count, BATCH), training=True)) as played:
        games = play(played, model, planner, count, seed, watch=watch)
    positions = sum(game.steps for game in games)
    if positions < LEAST:
        raise TooFewTargets(
            f"{positions:,} rewards in {len(games):,} games, expected at least {LEAST}: play more games"
        )
    found = compare(model, games, rng)
    described, few = [], []
    for number, horizon in sorted(found):
        name, predicted = {"number": number, "horizon": horizon, "beyond": horizon > unroll}, found[number, horizon]
        if (targets := len(predicted.known)) < LEAST:
            few.append(name | {"targets": targets})
        else:
            described.append(name | figures(predicted))
    outside = None
    if found["value", 0].doubts:
        with chdir("."), closing(build.games(config, min(count, BATCH), training=True)) as played:
            strange = play(played, model, ReactivePlanner(), count, derive(seed, "outside"), 1.0, watch)
        outside = unfamiliar(found, compare(model, strange, rng, (1,)), rng)
    return {
        "games": len(games),
        "positions": positions,
        "unroll": unroll,
        "rows": described,
        "left_out": few,
        "outside": outside,
    }


def unfamiliar(
    known: dict[tuple[str, int], Predicted], strange: dict[tuple[str, int], Predicted], rng: np.random.Generator
) -> dict[str, Any]:
    """How well the deviation between members tells positions of random play from those of the agent, for JSON.

    Of the value of positions and of the reward of the next step, where that has several members too.
    """
    found: dict[str, Any] = {"policy": "random play", "positions": len(strange["value", 0])}
    for name, horizon in (("value", 0), ("reward", 1)):
        inside, outside = known[name, horizon], strange[name, horizon]
        if inside.doubts:
            area, interval = auroc(inside, outside, rng)
            found[name] = {"auroc": area, "interval_95": list(interval)}
    return found
