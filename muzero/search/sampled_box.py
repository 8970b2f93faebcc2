"""Search over sampled real-valued actions (Hubert et al. 2021, Sampled MuZero)."""

from __future__ import annotations

from functools import lru_cache
from statistics import NormalDist

import numpy as np

from muzero.search.checks import check_array, check_number, check_rows
from muzero.search.loop import Expand
from muzero.search.sampled import Slots, sampled_prior


class SampledBox(Slots):
    """A search over K slots in place of real-valued actions: each node draws its own K actions from its policy.

    An action has D numbers from -1 to 1, the tanh of independent normal variables.  At the roots a share of the slots
    is drawn with larger deviations, so that actions are tried which the policy would hardly take.  The prior of the
    search is `sampled_prior` with the density of that mixture, whichever part drew an action, so it is not biased.

        sampled = SampledBox(normals, expand, 16, rng)
        result = sampled.resolved(gumbel(sampled.prior_logits, value, sampled.expand, simulations))
        action, candidates, weights = result.chosen, sampled.actions, result.policy

    It serves one search at a time.  A row depends on itself, on its place in the batch and on `rng`, not on other rows:
    every node takes K D random numbers per row.  Without `rng` nothing is random, and a row depends on itself alone:
    the first slot is the middle of the policy, the others lie at points that fill its quantiles evenly.

    Args:
        normals: [B, 2 D] float32 of the roots: D means, then D deviations above 0, of the variables before tanh.
        expand: evaluates one edge of each tree, see `Expand`, by actions [B, D] float32; it returns normals [B, 2 D] in
            place of logits.
        samples: K, the draws per node.
        rng: source of the draws, here and in every simulation; None: quantiles in place of draws.
        wide: share of the slots of the roots that are drawn with larger deviations, 0 to 1.
        width: factor of these deviations, at least 1.

    Raises:
        ValueError: an argument, or what expand returned, has a wrong type, shape or content; the message names it.
        TypeError: an argument is not an array, not a number, or not a random generator.
    """

    actions: np.ndarray
    """[B, K, D] float32, the action of each slot at the roots."""

    def __init__(
        self,
        normals: np.ndarray,
        expand: Expand,
        samples: int,
        rng: np.random.Generator | None,
        wide: float = 0.75,
        width: float = 3.0,
    ) -> None:
        super().__init__(expand, samples, rng)
        wide = check_number(wide, "wide", "a number from 0 to 1", lambda x: 0 <= x <= 1)
        width = check_number(width, "width", "a finite number, 1 or more", lambda x: 1 <= x < np.inf)
        normals = self._checked(normals, "normals", None)
        self._shape = normals.shape
        actions, logits = self._draw(normals, round(wide * self._samples), width)
        self._begin(actions, np.ones(logits.shape, bool), logits)

    def _below(self, policy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return self._draw(self._checked(policy, "expand: normals", self._shape), 0, 1.0)

    @staticmethod
    def _checked(normals: np.ndarray, name: str, shape: tuple[int, ...] | None) -> np.ndarray:
        normals = check_array(normals, name, "f", "float32", shape)
        if normals.shape[1] % 2:
            raise ValueError(f"{name}: expected means and as many deviations, got {normals.shape[1]} columns")
        check_rows(np.isfinite(normals), name, "holds a number that is not finite")
        check_rows(normals[:, normals.shape[1] // 2 :] > 0, name, "holds a deviation that is not above 0")
        return normals

    def _draw(self, normals: np.ndarray, wide: int, width: float) -> tuple[np.ndarray, np.ndarray]:
        """Actions [B, K, D] and their prior's logits [B, K]; the last `wide` slots have `width` times the deviation."""
        mean, deviation = np.split(normals.astype(np.float64)[:, None], 2, axis=2)
        size = mean.shape[2]
        shape = len(normals), self._samples, size
        drawn = points(*shape[1:]) if self._rng is None else self._rng.standard_normal(shape)
        if not wide:  # drawn from the policy itself: all count alike
            logits = np.full(shape[:2], np.log(1 / self._samples), np.float32)
            return np.tanh(mean + deviation * drawn).astype(np.float32), logits
        drawn = np.broadcast_to(drawn, shape).copy()
        drawn[:, self._samples - wide :] *= width
        # Densities of both parts, up to what they share; the slope of tanh is among that.
        squares = (drawn**2).sum(2)
        policy, wider = -squares / 2, -squares / (2 * width**2) - size * np.log(width)
        with np.errstate(divide="ignore"):
            shares = np.log((self._samples - wide) / self._samples), np.log(wide / self._samples)
        sampling = np.logaddexp(shares[0] + policy, shares[1] + wider)
        logits = sampled_prior(policy, sampling, np.ones(shape[:2], np.int64))
        return np.tanh(mean + deviation * drawn).astype(np.float32), logits


@lru_cache(maxsize=16)
def points(count: int, size: int) -> np.ndarray:
    """[count, size] numbers that are spread like standard normal ones: zeros, and pairs of a point and its opposite.

    The quantiles of a sequence that fills the unit cube evenly: multiples of the inverse powers of the generalised
    golden ratio (Roberts 2018), from the middle on.
    """
    ratio = 2.0
    for _ in range(64):  # the root of x ** (size + 1) = x + 1
        ratio = (1 + ratio) ** (1 / (size + 1))
    shares = (0.5 + np.arange(1, count // 2 + 1)[:, None] * ratio ** -np.arange(1.0, size + 1)) % 1
    least = 1e-6  # a share of 0 would be infinitely far away
    table = np.zeros((count, size))
    if count > 1:
        half = np.vectorize(NormalDist().inv_cdf)(shares.clip(least, 1 - least))
        table[1::2], table[2::2] = half, -half[: (count - 1) // 2]
    table.flags.writeable = False
    return table
