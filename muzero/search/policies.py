"""The searches: `puct` as in MuZero, `gumbel` as in Gumbel MuZero."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from muzero import _tree
from muzero.search.loop import Expand, Launch, run
from muzero.search.tree import Node, Tree


@dataclass(frozen=True)
class Result:
    """The result of a search: what to play, what to learn from it, and the trees."""

    action: np.ndarray  # [B] int64, the action to play; of a search over sampled actions the slot, see `chosen`
    policy: np.ndarray  # [B, A] float32, the improved policy
    value: np.ndarray  # [B] float32, mean of the network's root value and all returns backed up
    visits: np.ndarray  # [B, A] int32, of the root's edges; a row adds up to the simulations
    q: np.ndarray  # [B, A] float32, reward + discount * mean value of the child; 0 without visits
    tree: Tree

    @property
    def chosen(self) -> np.ndarray:
        """[B] int64 or [B, *shape of an action], the action to play, also of `search.Slots.resolved`."""
        if self.tree.sampled is None:
            return self.action
        found = self.tree.sampled[0, np.arange(len(self.action)), self.action]
        return found.astype(np.int64) if found.dtype.kind in "iu" else found

    def principal_variation(self, row: int = 0) -> list[Node]:
        """What the search expects to be played: the chosen action, and then always the most visited one."""
        return self.tree.principal_variation(row, int(self.action[row]))


def gumbel(
    prior_logits: np.ndarray,
    value: np.ndarray,
    expand: Expand | Sequence[Launch],
    simulations: int,
    legal: np.ndarray | None = None,
    noise: np.ndarray | None = None,
    considered: int = 16,
    value_scale: float = 0.1,
    visit_offset: float = 50.0,
    rescale: bool = True,
    least_range: float = 1e-8,
    max_depth: int | None = None,
    threads: int = 1,
) -> Result:
    """Search by sequential halving at the root and policy improvement below (Danihelka et al. 2022, Gumbel MuZero).

    The action is the best of those most visited, by noise + logits + sigma(q); the policy is softmax(logits +
    sigma(q)), where sigma(q) = (visit_offset + largest number of visits) * value_scale * q and an action without
    visits counts as the mixed value (eq. 33).

    Args:
        prior_logits: [B, A] float32 of the roots.
        value: [B] float32, the network's values of the roots.
        expand: evaluates one edge of each tree, see `Expand`; called exactly `simulations` times.  Or one `Launch` for
            each part of the batch: the trees of one part are searched while the others wait for their evaluation.
        simulations: 1 to 1,000,000; all memory of the search may take 1 GiB.
        legal: [B, A] bool, the actions allowed at the roots; all if None.
        noise: [B, A] float32 Gumbel noise; zeros if None, for play without randomness.
        considered: the largest number of actions of a root that are visited.
        value_scale: factor of q in sigma.
        visit_offset: added to the number of visits in sigma.
        rescale: scale q to [0, 1] over all actions before sigma.
        least_range: the range of q that is scaled is taken as this at least.
        max_depth: edges on the longest path; as many as simulations if None.
        threads: share the rows of a batch; the result is the same for any number.

    Raises:
        ValueError: an argument, or what expand returned, has a wrong type, shape or content; the message names it.
        TypeError: an argument is not an array, or not a number.
    """
    rows = {"prior_logits": prior_logits, "value": value, "legal": legal, "noise": noise}
    settings = {
        "considered": considered,
        "value_scale": value_scale,
        "visit_offset": visit_offset,
        "rescale": rescale,
        "least_range": least_range,
    }
    common = {"max_depth": max_depth, "threads": threads}
    return found(run(_tree.gumbel, rows, settings | common, expand, simulations))


def puct(
    prior_logits: np.ndarray,
    value: np.ndarray,
    expand: Expand | Sequence[Launch],
    simulations: int,
    legal: np.ndarray | None = None,
    c_init: float = 1.25,
    c_base: float = 19652.0,
    normalize: Literal["siblings", "tree"] | tuple[float, float] = "siblings",
    max_depth: int | None = None,
    threads: int = 1,
) -> Result:
    """Search by pUCT with visit-dependent exploration (Schrittwieser et al. 2020, MuZero, Appendix B).

    The action is the most visited one, the policy the share of visits.  For exploration, mix noise into the prior with
    `dirichlet` first.

    Args:
        prior_logits: [B, A] float32 of the roots.
        value: [B] float32, the network's values of the roots.
        expand: evaluates one edge of each tree, see `Expand`; called exactly `simulations` times.  Or one `Launch` for
            each part of the batch: the trees of one part are searched while the others wait for their evaluation.
        simulations: 1 to 1,000,000; all memory of the search may take 1 GiB.
        legal: [B, A] bool, the actions allowed at the roots; all if None.
        c_init: exploration; the prior counts c_init + log((visits + c_base + 1) / c_base) times.
        c_base: visits at which exploration begins to grow.
        normalize: how q is scaled before the prior is added.  "siblings": to [0, 1] by the range of a node's own value
            and its children's q; an edge without visits counts as the least of them.  "tree": by the range of all q
            seen in the tree so far, taken as 0.01 at least; an edge without visits counts as the least of them.
            (low, high): by a known range, not clipped; an edge without visits counts as low.
        max_depth: edges on the longest path; as many as simulations if None.
        threads: share the rows of a batch; the result is the same for any number.

    Raises:
        ValueError: an argument, or what expand returned, has a wrong type, shape or content; the message names it.
        TypeError: an argument is not an array, or not a number.
    """
    rows = {"prior_logits": prior_logits, "value": value, "legal": legal}
    settings = {"c_init": c_init, "c_base": c_base, "normalize": normalize}
    common = {"max_depth": max_depth, "threads": threads}
    return found(run(_tree.puct, rows, settings | common, expand, simulations))


def stochastic(
    prior_logits: np.ndarray,
    value: np.ndarray,
    expand: Expand | Sequence[Launch],
    simulations: int,
    chance: int,
    legal: np.ndarray | None = None,
    c_init: float = 1.25,
    c_base: float = 19652.0,
    normalize: Literal["siblings", "tree"] | tuple[float, float] = "siblings",
    max_depth: int | None = None,
    threads: int = 1,
) -> Result:
    """Search with nodes where chance decides, by pUCT at decisions (Antonoglou et al. 2022, Stochastic MuZero).

    A decision, one of the actions 0 to A - 1, leads to an afterstate; there chance has C outcomes, the actions A to
    A + C - 1, and one of them leads to the next state.  At an afterstate the outcome with the largest probability /
    (1 + visits) is followed.  `expand` returns prior_logits [B, A + C]: of a state the first A are read, of an
    afterstate the last C, the logits of the outcomes.  Reward and discount of the step to an afterstate count as 0
    and 1; what is returned for them is ignored.  Each of the two steps takes a simulation and counts towards max_depth.

    Args:
        prior_logits: [B, A] float32 of the roots, which are states.
        value: [B] float32, the network's values of the roots.
        expand: evaluates one edge of each tree, see `Expand`; called exactly `simulations` times.  Or one `Launch` for
            each part of the batch: the trees of one part are searched while the others wait for their evaluation.
        simulations: 1 to 1,000,000; all memory of the search may take 1 GiB.
        chance: C, the number of outcomes.
        legal: [B, A] bool, the actions allowed at the roots; all if None.
        c_init: as in `puct`.
        c_base: as in `puct`.
        normalize: as in `puct`.
        max_depth: edges on the longest path; as many as simulations if None.
        threads: share the rows of a batch; the result is the same for any number.

    Returns:
        The result for the A actions of the roots; in the tree, actions from A on are outcomes.

    Raises:
        ValueError: an argument, or what expand returned, has a wrong type, shape or content; the message names it.
        TypeError: an argument is not an array, or not a number.
    """
    rows = {"prior_logits": prior_logits, "value": value, "legal": legal}
    settings = {"chance": chance, "c_init": c_init, "c_base": c_base, "normalize": normalize}
    common = {"max_depth": max_depth, "threads": threads}
    return found(run(_tree.stochastic, rows, settings | common, expand, simulations))


def found(searches: list[_tree.Search]) -> Result:
    """The results of searches of the parts of a batch, as one."""
    results = [search.result() for search in searches]
    arrays = results[0] if len(results) == 1 else map(np.concatenate, zip(*results, strict=True))
    return Result(*arrays, tree=Tree(searches))
