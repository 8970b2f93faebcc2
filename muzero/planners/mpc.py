"""Model-predictive control: sequences of actions are imagined, and their distribution is fitted to the best of them."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from muzero.actions import Space
from muzero.config import Range
from muzero.inference import Path
from muzero.interfaces import Carry, Decision, GameSpec, Latent, WorldModel
from muzero.planners.doubt import DoubtingPlanner
from muzero.planners.imagining import imagine
from muzero.planners.sequences import SEQUENCES, Sequences, coloured, fixed_normals

Count = Annotated[int, Range(1, 10_000)]
KEPT = "sequences"  # name in the carry


@dataclass(frozen=True, kw_only=True)
class SequencePlanner(DoubtingPlanner):
    """What CEM, iCEM and MPPI share: a loop of drawing sequences, imagining them, and fitting to the best.

    The return of a sequence is its discounted rewards and the value of the state that it leads to.  A return that is
    not finite raises; it is never ranked.
    """

    horizon: Count
    population: Count
    elites: Count
    iterations: Count
    proposals: Annotated[int, Range(0, 10_000)]
    spread: Annotated[float, Range(0.001, 10.0)]
    least_spread: Annotated[float, Range(0.0, 1.0)]
    momentum: Annotated[float, Range(0.0, 0.999)]
    inference: Path
    particles: Count = 4

    @property
    def path(self) -> str:
        return self.inference

    @abstractmethod
    def weigh(self, returns: np.ndarray) -> np.ndarray:
        """[B, E] weights of the best sequences, which add up to 1, from their returns, the best first."""

    def noise(self, white: np.ndarray) -> np.ndarray:
        """What sequences are drawn from, [B or 1, P, H, ...], made of independent standard normal numbers."""
        return white

    def size(self, iteration: int) -> int:
        """Sequences of an iteration, from 0 on."""
        return self.population

    def narrowed(self, found: Sequences) -> Sequences:
        """The distributions that are drawn from, in place of those that were fitted."""
        return found

    def greedy(self, found: Sequences, best: np.ndarray) -> np.ndarray:
        """What is played without exploring, given the first actions of the best sequences, [B, *shape]."""
        return found.best()

    def candidates(self, space: Space) -> int:
        return 0 if space.columns else self.best_of(self.iterations - 1)

    def best_of(self, iteration: int) -> int:
        """Sequences that an iteration fits to."""
        return min(self.elites, self.size(iteration))

    def start(self, batch: int, space: Space) -> Carry:
        return {KEPT: SEQUENCES[type(space)].begin(space, batch, self.horizon, self.spread).kept}

    def refuses(self, model: WorldModel, spec: GameSpec) -> str | None:
        if spec.two_player:
            return f"it plans for one player, and {spec.name} has two; take gumbel"
        return super().refuses(model, spec)

    def plan(
        self,
        model: WorldModel,
        root: Latent,
        legal: np.ndarray,
        carry: Carry,
        first: np.ndarray,
        rng: np.random.Generator,
        explore: bool,
    ) -> tuple[Decision, Carry]:
        batch, space, draws = len(legal), model.space, rng if explore else None
        begun = SEQUENCES[type(space)].begin(space, batch, self.horizon, self.spread)
        found = begun.shifted(carry[KEPT], first).allowed(legal)
        best, weights = None, np.ones((batch, 1))
        for iteration in range(self.iterations):
            drawn = self.narrowed(found).draw(self.noise(self.white(iteration, batch, space, draws)))
            imagined = imagine(
                model,
                root,
                drawn,
                best,
                legal,
                draws,
                self.proposals,
                self.inference,
                self.kappa(explore),
                self.particles,
            )
            best = imagined.best(self.best_of(iteration))
            weights = self.weigh(best.returns)
            found = found.fit(best.sequences, weights, self.momentum, self.least_spread)
        assert best is not None
        leading = best.sequences[:, :, 0]
        action = self.greedy(found, leading[:, 0])
        if explore:
            place = (weights.cumsum(1) < rng.random((batch, 1))).sum(1).clip(max=weights.shape[1] - 1)
            action = found.near(leading[np.arange(batch), place], rng.standard_normal(leading[:, 0].shape))
        target, named = found.target(leading, weights)
        value = self.stored(model, root, best.value, explore)
        return Decision(action, target, value, named), {KEPT: found.kept}

    def white(self, iteration: int, batch: int, space: Space, rng: np.random.Generator | None) -> np.ndarray:
        """[B or 1, P, H, ...] standard normal numbers of an iteration; without a generator always the same."""
        size, shape = self.size(iteration), (self.horizon, *SEQUENCES[type(space)].numbers(space))
        if rng is not None:
            return rng.standard_normal((batch, size, *shape))
        return fixed_normals(self.iterations, self.population, shape)[None, iteration, :size]


@dataclass(frozen=True, kw_only=True)
class CemPlanner(SequencePlanner):
    """The cross-entropy method: all of the best sequences count alike (Chua et al. 2018, PETS).

    Numbers are drawn no further from the bounds than these are from the mean: the deviation is at most half of that.

    Args:
        horizon: steps that are imagined; the value of the state after them stands for the rest.  What is imagined
            beyond objective.unroll was not learned.
        population: sequences that are imagined at once.
        elites: the best of them, to which the distribution is fitted.
        iterations: rounds of drawing and fitting.
        proposals: sequences that follow the policy in the first round, and are the best so far in the others.
        spread: deviation of the numbers of an action, which lie from -1 to 1, in the first round.
        least_spread: deviation that remains at least; of listed actions, the probability that all of them share.
        momentum: share of the distribution before in the one that is fitted.
        inference: how the model is computed, see gumbel.
        particles: how often each sequence is imagined by a model that draws (model.kind = "ensemble"); returns are
            means.  Models that do not draw imagine it once.
        optimism: see gumbel.
        pessimism: see gumbel.
    """

    horizon: Count = 8
    population: Count = 128
    elites: Count = 13
    iterations: Count = 5
    proposals: Annotated[int, Range(0, 10_000)] = 8
    spread: Annotated[float, Range(0.001, 10.0)] = 0.5
    least_spread: Annotated[float, Range(0.0, 1.0)] = 0.01
    momentum: Annotated[float, Range(0.0, 0.999)] = 0.1
    inference: Path = "auto"

    def weigh(self, returns: np.ndarray) -> np.ndarray:
        return np.full(returns.shape, 1 / returns.shape[1])

    def narrowed(self, found: Sequences) -> Sequences:
        return found.inside()


@dataclass(frozen=True, kw_only=True)
class IcemPlanner(SequencePlanner):
    """CEM with few samples: coloured noise, fewer sequences in each round, the best ones kept (Pinneri et al. 2020).

    Without exploring it plays the first action of the best sequence that it imagined.

    Args:
        horizon: steps that are imagined, as in cem; coloured noise pays with many.
        population: sequences that are imagined at once in the first round.
        elites: the best of them, to which the distribution is fitted.
        iterations: rounds of drawing and fitting.
        proposals: sequences that follow the policy in the first round, and are the best so far in the others.
        spread: deviation of the numbers of an action, which lie from -1 to 1, in the first round.
        least_spread: deviation that remains at least; of listed actions, the probability that all of them share.
        momentum: share of the distribution before in the one that is fitted.
        inference: how the model is computed, see gumbel.
        particles: how often each sequence is imagined by a model that draws (model.kind = "ensemble"); returns are
            means.  Models that do not draw imagine it once.
        optimism: see gumbel.
        pessimism: see gumbel.
        colour: exponent by which the power of the noise falls with its frequency: 0 is white; with 2 or more, actions
            that follow each other are alike, so sequences lead further.
        shrink: factor by which each round has fewer sequences, never fewer than twice the elites.
    """

    horizon: Count = 12
    population: Count = 64
    elites: Count = 10
    iterations: Count = 4
    proposals: Annotated[int, Range(0, 10_000)] = 4
    spread: Annotated[float, Range(0.001, 10.0)] = 0.5
    least_spread: Annotated[float, Range(0.0, 1.0)] = 0.01
    momentum: Annotated[float, Range(0.0, 0.999)] = 0.1
    inference: Path = "auto"
    colour: Annotated[float, Range(0.0, 10.0)] = 2.0
    shrink: Annotated[float, Range(1.0, 100.0)] = 1.25

    def weigh(self, returns: np.ndarray) -> np.ndarray:
        return np.full(returns.shape, 1 / returns.shape[1])

    def noise(self, white: np.ndarray) -> np.ndarray:
        return coloured(white, self.colour)

    def size(self, iteration: int) -> int:
        least = min(self.population, 2 * self.elites)
        return max(least, int(self.population / self.shrink**iteration))

    def greedy(self, found: Sequences, best: np.ndarray) -> np.ndarray:
        return best


@dataclass(frozen=True, kw_only=True)
class MppiPlanner(SequencePlanner):
    """Model-predictive path integrals: better sequences count more (Williams et al. 2017; TD-MPC, Hansen et al. 2022).

    The weight of a sequence is exp(temperature * (return - best) / range of the elites): other units of the rewards
    change nothing.

    Args:
        horizon: steps that are imagined; the value of the state after them stands for the rest.  What is imagined
            beyond objective.unroll was not learned.
        population: sequences that are imagined at once.
        elites: the best of them, to which the distribution is fitted.
        iterations: rounds of drawing and fitting.
        proposals: sequences that follow the policy in the first round, and are the best so far in the others.
        spread: deviation of the numbers of an action, which lie from -1 to 1, in the first round.
        least_spread: deviation that remains at least; of listed actions, the probability that all of them share.
        momentum: share of the distribution before in the one that is fitted.
        inference: how the model is computed, see gumbel.
        particles: how often each sequence is imagined by a model that draws (model.kind = "ensemble"); returns are
            means.  Models that do not draw imagine it once.
        optimism: see gumbel.
        pessimism: see gumbel.
        temperature: how much better sequences count more; 0 is cem's mean.
    """

    horizon: Count = 5
    population: Count = 128
    elites: Count = 16
    iterations: Count = 4
    proposals: Annotated[int, Range(0, 10_000)] = 8
    spread: Annotated[float, Range(0.001, 10.0)] = 0.7
    least_spread: Annotated[float, Range(0.0, 1.0)] = 0.05
    momentum: Annotated[float, Range(0.0, 0.999)] = 0.0
    inference: Path = "auto"
    temperature: Annotated[float, Range(0.0, 1000.0)] = 5.0

    def weigh(self, returns: np.ndarray) -> np.ndarray:
        lead = returns - returns[:, :1]
        width = np.maximum(-lead[:, -1:], np.finfo(np.float64).tiny)
        weights = np.exp(self.temperature * lead / width)
        return weights / weights.sum(1, keepdims=True)
