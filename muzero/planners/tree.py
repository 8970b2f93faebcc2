"""Planners that search a tree: pUCT as in MuZero, Gumbel as in Gumbel MuZero."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np

from muzero import search
from muzero.config import Range
from muzero.inference import Path, simulating
from muzero.interfaces import Carry, Decision, Latent, WorldModel
from muzero.planners.searching import Simulations, TreePlanner, improved_value, threads_for
from muzero.search import Result


@dataclass(frozen=True, kw_only=True)
class GumbelPlanner(TreePlanner):
    """Sequential halving over sampled actions; it improves the policy at any number of simulations (Danihelka 2022).

    Args:
        simulations: evaluations of the model per move.  More play better and cost time in proportion; 16 suffice to
            learn, since the policy improves with any number.
        inference: how the model is computed.  "auto" takes recorded CUDA graphs on a GPU and onnxruntime on the CPU.
            Where a search explores, it has convolutions and matrix products in bfloat16 on a GPU, and convolutions on
            the CPU if the search is large enough and the processor has them.  "torch", "torch_bf16", "onnx" and
            "cuda_graph" force one; "measure" takes the fastest here and now, so two runs may differ in the last digits.
        considered: the largest number of actions that the search compares at the root.  More than half the simulations
            leaves too few visits for each.
        value_scale: weight of values against the prior in the improved policy.  More trusts the search more.
        greedy_value_scale: value_scale of searches that do not explore, as in matches; "none": the same.  Values of an
            agent that has learned deserve more trust than those of one that learns.
        visit_offset: visits that are added to the largest number of visits of an action before value_scale is applied;
            it keeps values in force when there are few simulations.
        rescale: scale values to [0, 1] within each node first, so that value_scale suits any range of rewards.
        least_range: the range of values within a node that rescaling takes to exist at least.  Where rewards are rare,
            values hardly differ at first, and what differs is error; rescaled, it would decide the policy.
        noise: factor of the noise that draws the move when exploring.  1 draws it from the improved policy; less plays
            closer to the best move, so that what is seen is nearer to what the trained agent will see.
        optimism: deviations between the members of an ensemble that are added to rewards and values when exploring, so
            that what is not known is tried (docs/uncertainty.md); needs model.members.
        pessimism: deviations that are subtracted in all searches, so that no plan builds on what is not known; for
            learning from data alone.
    """

    simulations: Simulations = 16
    inference: Path = "auto"
    considered: Annotated[int, Range(1, 10_000)] = 16
    value_scale: Annotated[float, Range(0.0, 1000.0)] = 0.1
    greedy_value_scale: Annotated[float, Range(0.0, 1000.0)] | None = None
    visit_offset: Annotated[float, Range(0.0, 10_000.0)] = 50.0
    rescale: bool = True
    least_range: Annotated[float, Range(1e-8, 1000.0)] = 1e-8
    noise: Annotated[float, Range(0.0, 10.0)] = 1.0
    rule = "gumbel"

    def settings(self, explore: bool) -> dict[str, Any]:
        trusted = self.greedy_value_scale if not explore and self.greedy_value_scale is not None else self.value_scale
        return {
            "simulations": self.simulations,
            "considered": self.considered,
            "value_scale": trusted,
            "visit_offset": self.visit_offset,
            "rescale": self.rescale,
            "least_range": self.least_range,
        }

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
        result = self.search(model, root, legal, rng if explore else None)
        value = self.stored(model, root, improved_value(result), explore)
        return Decision(result.action, result.policy, value), carry

    def search(self, model: WorldModel, root: Latent, legal: np.ndarray, rng: np.random.Generator | None) -> Result:
        kappa, precise = self.kappa(explore=rng is not None), rng is None
        with simulating(model, root, self.simulations, self.inference, kappa=kappa, precise=precise) as begun:
            logits, value, expand = begun
            noise = None
            if rng is not None:
                noise = (self.noise * rng.gumbel(size=logits.shape)).astype(np.float32)
            settings = self.settings(explore=rng is not None)
            return search.gumbel(logits, value, expand, legal=legal, noise=noise, threads=threads_for(root), **settings)


@dataclass(frozen=True, kw_only=True)
class PuctPlanner(TreePlanner):
    """MuZero's search: noise at the root, moves in proportion to visits (Schrittwieser et al. 2020, App. B).

    Args:
        simulations: evaluations of the model per move.  More play better and cost time in proportion; with fewer than
            there are actions the search says little.
        inference: how the model is computed.  "auto" takes recorded CUDA graphs on a GPU and onnxruntime on the CPU.
            Where a search explores, it has convolutions and matrix products in bfloat16 on a GPU, and convolutions on
            the CPU if the search is large enough and the processor has them.  "torch", "torch_bf16", "onnx" and
            "cuda_graph" force one; "measure" takes the fastest here and now, so two runs may differ in the last digits.
        c_init: weight of the prior against values; more explores more widely.
        c_base: visits of a node at which exploration begins to grow; only searches of thousands reach it.
        normalize: scale values by the range seen in the whole "tree", as MuZero does, or among the "siblings" of a
            node, as mctx does.  Siblings exaggerate small differences.
        dirichlet_alpha: concentration of the noise at the root when exploring; about 10 / number of legal actions.
        dirichlet_fraction: share of the noise in the prior at the root when exploring; 0 turns it off.
        temperature: when exploring, moves are drawn in proportion to visits ** (1 / temperature); 0 plays the most
            visited move.
        optimism: deviations between the members of an ensemble that are added to rewards and values when exploring, so
            that what is not known is tried (docs/uncertainty.md); needs model.members.
        pessimism: deviations that are subtracted in all searches, so that no plan builds on what is not known; for
            learning from data alone.
    """

    simulations: Simulations = 50
    inference: Path = "auto"
    c_init: Annotated[float, Range(0.0, 1000.0)] = 1.25
    c_base: Annotated[float, Range(1.0, 1e9)] = 19652.0
    normalize: Literal["siblings", "tree"] = "tree"
    dirichlet_alpha: Annotated[float, Range(1e-3, 1000.0)] = 0.3
    dirichlet_fraction: Annotated[float, Range(0.0, 1.0)] = 0.25
    temperature: Annotated[float, Range(0.0, 100.0)] = 1.0
    rule = "puct"

    def settings(self, explore: bool) -> dict[str, Any]:
        return {
            "simulations": self.simulations,
            "c_init": self.c_init,
            "c_base": self.c_base,
            "normalize": self.normalize,
        }

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
        result = self.search(model, root, legal, rng if explore else None)
        action = search.sample_action(result.visits, self.temperature, rng) if explore else result.action
        return Decision(action, result.policy, self.stored(model, root, result.value, explore)), carry

    def search(self, model: WorldModel, root: Latent, legal: np.ndarray, rng: np.random.Generator | None) -> Result:
        kappa, precise = self.kappa(explore=rng is not None), rng is None
        with simulating(model, root, self.simulations, self.inference, kappa=kappa, precise=precise) as begun:
            logits, value, expand = begun
            if rng is not None:
                logits = search.dirichlet(logits, legal, self.dirichlet_fraction, self.dirichlet_alpha, rng)
            settings = self.settings(explore=rng is not None)
            return search.puct(logits, value, expand, legal=legal, threads=threads_for(root), **settings)
