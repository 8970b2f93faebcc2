"""Batched tree search over any model: `puct` as in MuZero, `gumbel` as in Gumbel MuZero.

The trees live in C++, the model with the caller: `expand` is called once per simulation for the whole batch.  Nothing
here is random and nothing depends on the batch around a row: the same inputs give the same bytes.  The turn is a sign:
an edge with a negative discount hands it to the opponent, and a value is seen by the player to move.

Sizes in shapes: B searches side by side, A actions, N = simulations + 1 nodes of a tree.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from muzero import _tree

Evaluation = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
"""reward [B], discount [B], value [B] and prior_logits [B, A] of a batch of edges, all float32."""

Expand = Callable[[np.ndarray, np.ndarray, np.ndarray], Evaluation]
"""expand(parent, action, node), int32 [B] each: evaluate `action` from the state kept under `parent`, and keep the
state that it leads to under `node`.  Node 0 is the root and simulation s makes node s + 1; only at max_depth is a node
that is there already evaluated again, under its own index.  The three arrays may be kept.  A discount lies from -1 to 1
and is 0 where the game ends; rounding beyond that, by 0.01 at most, is clipped."""


class Tree:
    """The trees of a finished search, node by node.  Node 0 is the root; a node with 0 visits was never made."""

    def __init__(self, search: _tree.Search) -> None:
        self._search = search

    @cached_property
    def parent(self) -> np.ndarray:
        """[B, N] int32, the node above, -1 at the root."""
        return self._search.parent()

    @cached_property
    def action(self) -> np.ndarray:
        """[B, N] int32, the parent's action that leads here, -1 at the root."""
        return self._search.action()

    @cached_property
    def visits(self) -> np.ndarray:
        """[B, N] int32, its own evaluation included; below the root also the visits of the edge that leads here."""
        return self._search.visits()

    @cached_property
    def value(self) -> np.ndarray:
        """[B, N] float32, mean of the network's value and all returns backed up, for the player to move here."""
        return self._search.value()

    @cached_property
    def raw_value(self) -> np.ndarray:
        """[B, N] float32, the network's value."""
        return self._search.raw_value()

    @cached_property
    def reward(self) -> np.ndarray:
        """[B, N] float32, of the edge that leads here, to the player who moved."""
        return self._search.reward()

    @cached_property
    def discount(self) -> np.ndarray:
        """[B, N] float32, of the edge that leads here."""
        return self._search.discount()

    @cached_property
    def prior_logits(self) -> np.ndarray:
        """[B, N, A] float32, shifted so that the largest is 0; -inf where an action is not legal at the root."""
        return self._search.prior_logits()

    @cached_property
    def children(self) -> np.ndarray:
        """[B, N, A] int32, the node that each action leads to, -1 where none was made."""
        return self._search.children()


@dataclass(frozen=True)
class Result:
    """What a search found."""

    action: np.ndarray  # [B] int64, the best
    policy: np.ndarray  # [B, A] float32, the improved policy
    value: np.ndarray  # [B] float32, mean of the network's root value and all returns backed up
    visits: np.ndarray  # [B, A] int32, of the root's edges; a row adds up to the simulations
    q: np.ndarray  # [B, A] float32, reward + discount * mean value of the child; 0 without visits
    tree: Tree


def gumbel(
    prior_logits: np.ndarray,
    value: np.ndarray,
    expand: Expand,
    simulations: int,
    legal: np.ndarray | None = None,
    noise: np.ndarray | None = None,
    considered: int = 16,
    value_scale: float = 0.1,
    visit_offset: float = 50.0,
    rescale: bool = True,
    max_depth: int | None = None,
) -> Result:
    """Search by sequential halving at the root and policy improvement below (Danihelka et al. 2022, Gumbel MuZero).

    The action is the best of those most visited, by noise + logits + sigma(q); the policy is softmax(logits +
    sigma(q)), where sigma(q) = (visit_offset + largest number of visits) * value_scale * q and an action without
    visits counts as the mixed value (eq. 33).

    Args:
        prior_logits: [B, A] float32 of the roots.
        value: [B] float32, the network's values of the roots.
        expand: evaluates one edge of each tree, see `Expand`; called exactly `simulations` times.
        simulations: 1 to 1,000,000; all memory of the search may take 1 GiB.
        legal: [B, A] bool, the actions allowed at the roots; all if None.
        noise: [B, A] float32 Gumbel noise; zeros if None, for play without randomness.
        considered: at most so many actions of a root are visited.
        value_scale: see sigma.
        visit_offset: see sigma.
        rescale: scale q to [0, 1] over all actions before sigma.
        max_depth: edges on the longest path; as many as simulations if None.

    Raises:
        ValueError: an argument, or what expand returned, has a wrong type, shape or content; the message names it.
        TypeError: an argument is no array, or no number.
    """
    trees = _tree.gumbel(
        prior_logits, value, simulations, legal, noise, considered, value_scale, visit_offset, rescale, max_depth
    )
    return _run(trees, expand, simulations)


def puct(
    prior_logits: np.ndarray,
    value: np.ndarray,
    expand: Expand,
    simulations: int,
    legal: np.ndarray | None = None,
    c_init: float = 1.25,
    c_base: float = 19652.0,
    normalize: Literal["siblings", "tree"] | tuple[float, float] = "siblings",
    max_depth: int | None = None,
) -> Result:
    """Search by pUCT with visit-dependent exploration (Schrittwieser et al. 2020, MuZero, Appendix B).

    The action is the most visited one, the policy the share of visits.  Noise for exploration is mixed into the prior
    beforehand, see `dirichlet`.

    Args:
        prior_logits: [B, A] float32 of the roots.
        value: [B] float32, the network's values of the roots.
        expand: evaluates one edge of each tree, see `Expand`; called exactly `simulations` times.
        simulations: 1 to 1,000,000; all memory of the search may take 1 GiB.
        legal: [B, A] bool, the actions allowed at the roots; all if None.
        c_init: exploration; the prior counts c_init + log((visits + c_base + 1) / c_base) times.
        c_base: visits at which exploration begins to grow.
        normalize: how q is scaled before the prior is added.  "siblings": to [0, 1] by the range of a node's own value
            and its children's q; an edge without visits counts as the least of them.  "tree": by the range of all q
            seen in the tree so far, taken as 0.01 at least; an edge without visits counts as the least of them.
            (low, high): by a known range, not clipped; an edge without visits counts as low.
        max_depth: edges on the longest path; as many as simulations if None.

    Raises:
        ValueError: an argument, or what expand returned, has a wrong type, shape or content; the message names it.
        TypeError: an argument is no array, or no number.
    """
    trees = _tree.puct(prior_logits, value, simulations, legal, c_init, c_base, normalize, max_depth)
    return _run(trees, expand, simulations)


def dirichlet(
    prior_logits: np.ndarray, legal: np.ndarray | None, fraction: float, alpha: float, rng: np.random.Generator
) -> np.ndarray:
    """Logits of a prior with Dirichlet noise mixed in, for exploration with `puct` (AlphaZero).

    Args:
        prior_logits: [B, A] float32.
        legal: [B, A] bool, where noise may go; all if None.
        fraction: share of the noise, 0 to 1.
        alpha: concentration of the noise, above 0; small is spiky.
        rng: source of the noise.

    Returns:
        [B, A] float32, logits of (1 - fraction) * softmax over the legal actions + fraction * Dirichlet(alpha).
    """
    allowed = _check_mixing(prior_logits, legal, fraction, alpha)
    logits = np.where(allowed, prior_logits.astype(np.float64), -np.inf)
    prior = np.exp(logits - logits.max(axis=1, keepdims=True))
    prior /= prior.sum(axis=1, keepdims=True)
    noise = np.where(allowed, rng.gamma(alpha, size=prior.shape), 0.0)
    total = noise.sum(axis=1, keepdims=True)
    # With a tiny alpha all gamma samples of a row can underflow to 0; then the row goes without noise.
    noise = np.divide(noise, total, out=prior.copy(), where=total > 0)
    mixed = (1 - fraction) * prior + fraction * noise
    return np.log(np.maximum(mixed, np.finfo(np.float32).tiny)).astype(np.float32)


def _check_mixing(prior_logits: np.ndarray, legal: np.ndarray | None, fraction: float, alpha: float) -> np.ndarray:
    if not 0 <= fraction <= 1:
        raise ValueError(f"fraction: expected a number from 0 to 1, got {fraction!r}")
    if not 0 < alpha < np.inf:
        raise ValueError(f"alpha: expected a number above 0, got {alpha!r}")
    if prior_logits.ndim != 2 or prior_logits.dtype != np.float32:
        raise ValueError(
            f"prior_logits: expected float32 of shape (batch, actions), got {prior_logits.dtype} of shape "
            f"{prior_logits.shape}"
        )
    allowed = np.ones(prior_logits.shape, bool) if legal is None else legal
    if allowed.shape != prior_logits.shape or allowed.dtype != bool:
        raise ValueError(
            f"legal: expected bool of shape {prior_logits.shape}, got {allowed.dtype} of shape {allowed.shape}"
        )
    if not allowed.any(axis=1).all():
        raise ValueError(f"legal[{int(np.argmin(allowed.any(axis=1)))}] allows no action")
    finite = np.isfinite(prior_logits).all(axis=1)
    if not finite.all():
        raise ValueError(f"prior_logits[{int(np.argmin(finite))}] holds a number that is not finite")
    return allowed


def _run(trees: _tree.Search, expand: Expand, simulations: int) -> Result:
    edges = trees.select()
    for _ in range(simulations - 1):
        edges = trees.step(expand(*edges))
    trees.backup(expand(*edges))
    return Result(*trees.result(), Tree(trees))
