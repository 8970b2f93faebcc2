"""Planners that search a tree: pUCT as in MuZero, Gumbel as in Gumbel MuZero."""

from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Literal

import numpy as np

from muzero import search
from muzero.config import Range
from muzero.inference import Path, simulating
from muzero.interfaces import Carry, Decision, GameSpec, Latent, Planner, WorldModel
from muzero.search import Result
from muzero.util.cpu import cores

ROWS_PER_THREAD = 256  # for which a thread of its own pays
MOST_THREADS = 8
Simulations = Annotated[int, Range(1, 10_000)]


@dataclass(frozen=True, kw_only=True)
class TreePlanner(Planner):
    """A planner that searches a tree, which can be read afterwards."""

    simulations: Simulations
    inference: Path
    rule: ClassVar[str]  # the function of `muzero.search`

    @property
    def path(self) -> str:
        return self.inference

    @abstractmethod
    def settings(self, explore: bool) -> dict[str, Any]:
        """What that function takes besides positions, evaluations and noise, by its names."""

    @abstractmethod
    def search(self, model: WorldModel, root: Latent, legal: np.ndarray, rng: np.random.Generator | None) -> Result:
        """The search by which `plan` decides, tree included.

        Args:
            model: imagines and predicts.
            root: latent of the positions, B in front.
            legal: [B, A] bool.
            rng: source of the noise for exploring; None for no exploration.
        """

    def exported(self) -> dict[str, Any]:
        """The search as the programs of an export know it: a rule and its settings; "policy" acts without search."""
        return {"rule": self.rule, **self.settings(explore=False)}

    def limited(self, simulations: int) -> Planner:
        return replace(self, simulations=min(simulations, self.simulations))

    def refuses(self, model: WorldModel, spec: GameSpec) -> str | None:
        if spec.actions.columns:
            return None
        return f"it searches actions that can be listed, and {spec.name} has {spec.actions.describe()}"


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
        return Decision(result.action, result.policy, improved_value(result)), carry

    def search(self, model: WorldModel, root: Latent, legal: np.ndarray, rng: np.random.Generator | None) -> Result:
        with simulating(model, root, self.simulations, self.inference, precise=rng is None) as (logits, value, expand):
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
        return Decision(action, result.policy, result.value), carry

    def search(self, model: WorldModel, root: Latent, legal: np.ndarray, rng: np.random.Generator | None) -> Result:
        with simulating(model, root, self.simulations, self.inference, precise=rng is None) as (logits, value, expand):
            if rng is not None:
                logits = search.dirichlet(logits, legal, self.dirichlet_fraction, self.dirichlet_alpha, rng)
            settings = self.settings(explore=rng is not None)
            return search.puct(logits, value, expand, legal=legal, threads=threads_for(root), **settings)


def threads_for(root: Latent) -> int:
    """Threads that share the trees of a search, whose result is the same for any number.

    One on the CPU, which the network keeps busy; on a GPU as many as the cores and the rows allow.
    """
    rows = next(iter(root.values()))
    if rows.device.type == "cpu":
        return 1
    return max(1, min(MOST_THREADS, cores(), len(rows) // ROWS_PER_THREAD))


def improved_value(result: Result) -> np.ndarray:
    """[B] float32, the value of following the improved policy, over the actions that were visited.

    Sequential halving visits bad actions as often as good ones at first, so the mean over all simulations,
    `result.value`, is far below the value of the policy: with two actions, half of all visits go to the worse.
    """
    share = np.where(result.visits > 0, result.policy, 0) + np.float32(1e-12) * (result.visits > 0)
    return (share * result.q).sum(1) / share.sum(1)
