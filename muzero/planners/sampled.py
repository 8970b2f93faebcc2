"""A tree search over sampled actions, for real-valued actions and for more listed ones than a tree can hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
import torch

from muzero import search
from muzero.actions import Box, Discrete, Space
from muzero.config import Range
from muzero.inference import Path, simulating
from muzero.interfaces import Carry, Decision, GameSpec, Latent, WorldModel
from muzero.models.heads import SquashedGaussian
from muzero.planners.doubt import DoubtingPlanner
from muzero.planners.searching import Simulations, TreePlanner, improved_value, threads_for
from muzero.search import Evaluation, Expand, Result, Sampled, SampledBox, Slots

NOISE = 1.0  # concentration of the Dirichlet distribution that mixes with the policy of listed actions


@dataclass(frozen=True, kw_only=True)
class SampledPlanner(TreePlanner):
    """Sampled MuZero: the search of gumbel over a few actions, which each node draws from its policy (Hubert 2021).

    For real-valued actions, and for listed ones where these are many.  Without exploring the actions are fixed
    quantiles of the policy, so nothing is random.

    Args:
        simulations: evaluations of the model per move, as in gumbel.  The first visit one sample of the root each, so
            there should be twice as many as samples.
        inference: how the model is computed, see gumbel.
        value_scale: weight of values against the prior in the improved policy.  More trusts the search more, and has
            real-valued policies narrow sooner.
        greedy_value_scale: value_scale of searches that do not explore, as in matches; "none": the same.
        visit_offset: visits that are added to the largest number of visits of an action, as in gumbel.
        rescale: scale values to [0, 1] within each node first, so that value_scale suits any range of rewards.
        least_range: the range of values within a node that rescaling takes to exist at least, as in gumbel.
        noise: factor of the noise that draws the move among the samples when exploring.
        samples: actions that each node draws from its policy.  More find better ones, and need more simulations.
        wide: share of the samples of the root that are drawn more widely than the policy when exploring: of real-valued
            actions with `width` times the deviation, of listed ones from noise.  The search corrects for it.
        width: factor of the deviation of these samples.
        target: what the policy learns of real-valued actions.  "weights": all samples of the root, each as much as the
            improved policy weighs it.  "best": the visited sample with the largest weight alone, which suits actions of
            many numbers, where few samples say little about a whole distribution (Wang et al. 2024).
        optimism: deviations between the members of an ensemble that are added to rewards and values when exploring, so
            that what is not known is tried (docs/uncertainty.md); needs model.members.
        pessimism: deviations that are subtracted in all searches, so that no plan builds on what is not known; for
            learning from data alone.
    """

    simulations: Simulations = 32
    inference: Path = "auto"
    value_scale: Annotated[float, Range(0.0, 1000.0)] = 0.1
    greedy_value_scale: Annotated[float, Range(0.0, 1000.0)] | None = None
    visit_offset: Annotated[float, Range(0.0, 10_000.0)] = 50.0
    rescale: bool = True
    least_range: Annotated[float, Range(1e-8, 1000.0)] = 1e-8
    noise: Annotated[float, Range(0.0, 10.0)] = 1.0
    samples: Annotated[int, Range(1, 1000)] = 16
    wide: Annotated[float, Range(0.0, 1.0)] = 0.75
    width: Annotated[float, Range(1.0, 100.0)] = 3.0
    target: Literal["weights", "best"] = "weights"
    rule = "gumbel"

    def settings(self, explore: bool) -> dict[str, Any]:
        trusted = self.greedy_value_scale if not explore and self.greedy_value_scale is not None else self.value_scale
        return {
            "simulations": self.simulations,
            "considered": self.samples,  # were it fewer, those with low numbers would be compared alone
            "value_scale": trusted,
            "visit_offset": self.visit_offset,
            "rescale": self.rescale,
            "least_range": self.least_range,
        }

    def candidates(self, space: Space) -> int:
        return 0 if space.columns else self.samples

    def edges(self, space: Space) -> int:
        return self.samples

    def refuses(self, model: WorldModel, spec: GameSpec) -> str | None:
        return DoubtingPlanner.refuses(self, model, spec)

    def exported(self, space: Space) -> dict[str, Any]:
        if space.columns:
            return {"rule": "policy"}  # the programs know samples of real-valued actions alone
        settings = self.settings(explore=False)
        settings["samples"] = settings.pop("considered")
        return {"rule": "sampled", **settings}

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
        sampled, result = self.searched(model, root, legal, rng if explore else None)
        weights, candidates = TARGETS[type(sampled)](self, sampled, result)
        value = self.stored(model, root, improved_value(result), explore)
        return Decision(result.chosen, weights, value, candidates), carry

    def search(self, model: WorldModel, root: Latent, legal: np.ndarray, rng: np.random.Generator | None) -> Result:
        return self.searched(model, root, legal, rng)[1]

    def searched(
        self, model: WorldModel, root: Latent, legal: np.ndarray, rng: np.random.Generator | None
    ) -> tuple[Slots, Result]:
        """What `search` returns, and the samples that it searched."""
        precise, kappa = rng is None, self.kappa(explore=rng is not None)
        with simulating(model, root, self.simulations, self.inference, 1, kappa, precise=precise) as begun:
            parameters, value, expand = begun
            assert callable(expand)
            sampled = SAMPLES[type(model.space)](self, parameters, expand, legal, rng)
            noise = None
            if rng is not None:
                noise = (self.noise * rng.gumbel(size=sampled.legal.shape)).astype(np.float32)
            given = {"legal": sampled.legal, "noise": noise, "threads": threads_for(root)}
            settings = self.settings(explore=rng is not None)
            result = search.gumbel(sampled.prior_logits, value, sampled.expand, **given, **settings)
            return sampled, sampled.resolved(result)


def listed(
    planner: SampledPlanner,
    parameters: np.ndarray,
    expand: Expand,
    legal: np.ndarray,
    rng: np.random.Generator | None,
) -> Sampled:
    """Samples of listed actions; the arguments are those of a search."""
    fraction = 0.0 if rng is None else planner.wide
    # Slots are in the order of actions: with fewer simulations than samples, only low numbers would be visited.
    samples = min(planner.samples, planner.simulations)
    return Sampled(parameters, expand, samples, rng, legal, fraction=fraction, alpha=NOISE)


def real_valued(
    planner: SampledPlanner,
    parameters: np.ndarray,
    expand: Expand,
    legal: np.ndarray,
    rng: np.random.Generator | None,
) -> SampledBox:
    """Samples of real-valued actions; the arguments are those of a search."""

    def expand_normals(parent: np.ndarray, action: np.ndarray, node: np.ndarray) -> Evaluation:
        reward, discount, value, following = expand(parent, action, node)
        return reward, discount, value, normals(following)

    wide = 0.0 if rng is None else planner.wide
    return SampledBox(normals(parameters), expand_normals, planner.samples, rng, wide, planner.width)


def normals(parameters: np.ndarray) -> np.ndarray:
    """[B, 2 D] means and deviations before tanh, of the policy whose parameters a network put out."""
    policy = SquashedGaussian(torch.from_numpy(parameters))
    return torch.cat([policy.mean, policy.deviation], -1).numpy()


def of_listed(planner: SampledPlanner, sampled: Sampled, result: Result) -> tuple[np.ndarray, None]:
    """The improved policy [B, A] over all actions; 0 for those that were not drawn."""
    return sampled.full(result.policy), None


def of_real_valued(planner: SampledPlanner, sampled: SampledBox, result: Result) -> tuple[np.ndarray, np.ndarray]:
    """Weights [B, K] and candidates [B, K, D] of a `Decision`."""
    if planner.target == "weights":
        return result.policy, sampled.actions
    best = np.where(result.visits > 0, result.policy, -1).argmax(1)
    return (np.arange(planner.samples) == best[:, None]).astype(np.float32), sampled.actions


SAMPLES: dict[type[Space], Callable[..., Slots]] = {Discrete: listed, Box: real_valued}
TARGETS: dict[type[Slots], Callable[..., tuple[np.ndarray, np.ndarray | None]]] = {
    Sampled: of_listed,
    SampledBox: of_real_valued,
}
