"""Search over a few sampled actions of many (Hubert et al. 2021, Sampled MuZero)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace

import numpy as np

from muzero.search.checks import check_array, check_generator, check_integer, check_number, check_rows
from muzero.search.exploration import check_prior, dirichlet, draw
from muzero.search.loop import Evaluation, Expand
from muzero.search.policies import Result

FLOAT32 = np.finfo(np.float32)


class Slots(ABC):
    """A search over K slots in place of actions: each node draws its own K actions, and its slots stand for them."""

    actions: np.ndarray
    """[B, K, *shape of an action], what each slot stands for at the roots."""
    legal: np.ndarray
    """[B, K] bool, the slots that stand for an action."""
    prior_logits: np.ndarray
    """[B, K] float32 of the roots' slots; 0 in those that are left over."""

    def __init__(self, expand: Expand, samples: int, rng: np.random.Generator | None) -> None:
        """Check what all kinds of actions have in common.  A subclass draws the actions of the roots, see `_begin`."""
        self._samples = check_integer(samples, "samples", 1, 1_000_000)
        if rng is not None:
            check_generator(rng)
        self._expand, self._rng = expand, rng

    def _begin(self, actions: np.ndarray, legal: np.ndarray, prior_logits: np.ndarray) -> None:
        """Set what the slots of the roots are."""
        self.actions, self.legal = actions, legal
        self.prior_logits = np.where(legal, prior_logits, np.float32(0))
        self._of_node = actions[None]  # [nodes, B, K, ...], grown as nodes are made

    @abstractmethod
    def _below(self, policy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Actions [B, K, ...] and logits [B, K] of new nodes, from the fourth array that `expand` returned."""

    def expand(self, parent: np.ndarray, action: np.ndarray, node: np.ndarray) -> Evaluation:
        """Evaluate the actions that slots [B] stand for, and draw those of the new nodes."""
        rows = np.arange(len(node))
        evaluation = self._expand(parent, self._of_node[parent, rows, action], node)
        if not isinstance(evaluation, tuple) or len(evaluation) != 4:
            raise TypeError(
                f"expand: expected the tuple (reward, discount, value, prior_logits), got {type(evaluation)}"
            )
        drawn, logits = self._below(evaluation[3])
        while node.max() >= len(self._of_node):
            self._of_node = np.concatenate([self._of_node, np.empty_like(self._of_node)])
        self._of_node[node, rows] = drawn
        return *evaluation[:3], logits

    def action(self, slot: np.ndarray) -> np.ndarray:
        """[B, *shape of an action] that slots [B] of the roots stand for, as of `Result.action`."""
        return self.actions[np.arange(len(slot)), slot]

    def resolved(self, result: Result) -> Result:
        """The result of the search, whose tree knows what its slots stand for: see `Tree.action_at`."""
        return replace(result, tree=result.tree.standing_for(self._of_node))


class Sampled(Slots):
    """A search over K slots in place of A actions: each node draws its own K actions, and its slots stand for them.

    Actions are drawn with replacement from beta = pi ** (1 / temperature), normalised, at the root mixed with noise:
    (1 - fraction) * beta + fraction * Dirichlet(alpha).  An action that is drawn twice takes one slot, and the prior of
    the search is `sampled_prior`, so neither temperature nor noise bias it.  Slots that are left over do not exist for
    the search.

        sampled = Sampled(prior_logits, expand, 20, rng)
        result = puct(sampled.prior_logits, value, sampled.expand, simulations, legal=sampled.legal)
        action, policy = sampled.action(result.action), sampled.full(result.policy)

    It serves one search at a time.  A row depends on itself, on its place in the batch and on `rng`, not on other rows:
    every node takes K random numbers per row.  Without `rng` nothing is random: the actions are those in the middle of
    K equal shares of beta.

    Args:
        prior_logits: [B, A] float32 of the roots, pi up to a constant per row.
        expand: evaluates one edge of each tree, see `Expand`, by actions from 0 to A - 1.
        samples: K, the draws per node.
        rng: source of the draws, here and in every simulation; None: quantiles in place of draws.
        legal: [B, A] bool, the actions allowed at the roots; all if None.
        temperature: above 0; more than 1 draws unlikely actions more often.
        fraction: share of the noise at the roots, 0 to 1.
        alpha: concentration of the noise, above 0; small is spiky.

    Raises:
        ValueError: an argument, or what expand returned, has a wrong type, shape or content; the message names it.
        TypeError: an argument is not an array, not a number, or not a random generator.
    """

    actions: np.ndarray
    """[B, K] int32, the action of each slot at the roots, ascending; -1 in slots left over."""

    def __init__(
        self,
        prior_logits: np.ndarray,
        expand: Expand,
        samples: int,
        rng: np.random.Generator | None,
        legal: np.ndarray | None = None,
        temperature: float = 1.0,
        fraction: float = 0.0,
        alpha: float = 0.3,
    ) -> None:
        prior_logits, legal = check_prior(prior_logits, legal)
        super().__init__(expand, samples, rng)
        self._temperature = check_number(
            temperature, "temperature", "a finite number above 0", lambda x: 0 < x < np.inf
        )
        fraction = check_number(fraction, "fraction", "a number from 0 to 1", lambda x: 0 <= x <= 1)
        self._size = prior_logits.shape[1]
        policy = _log_softmax(np.where(legal, prior_logits.astype(np.float64), -np.inf))
        sampling = self._tempered(policy)
        if fraction > 0:
            rng = check_generator(rng)
            logits = np.maximum(sampling, FLOAT32.min).astype(np.float32)
            sampling = _log_softmax(np.where(legal, dirichlet(logits, legal, fraction, alpha, rng), -np.inf))
        actions, logits = self._draw(policy, sampling)
        self._begin(actions, actions >= 0, logits)

    def action(self, slot: np.ndarray) -> np.ndarray:
        """[B] int64, the actions that slots [B] of the roots stand for, as of `Result.action`."""
        return super().action(slot).astype(np.int64)

    def full(self, of_slots: np.ndarray) -> np.ndarray:
        """[B, A], numbers [B, K] of the roots' slots, such as visits or policy, at their actions; 0 elsewhere."""
        result = np.zeros((len(self.actions), self._size), of_slots.dtype)
        result[np.nonzero(self.legal)[0], self.actions[self.legal]] = of_slots[self.legal]
        return result

    def _below(self, policy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        logs = _log_softmax(self._checked(policy).astype(np.float64))
        return self._draw(logs, self._tempered(logs))

    def _checked(self, logits: np.ndarray) -> np.ndarray:
        name, shape = "expand: prior_logits", (len(self.actions), self._size)
        logits = check_array(logits, name, "f", "float32", shape)
        check_rows(logits < np.inf, name, "holds a number that is neither finite nor -inf")
        check_rows(logits.max(axis=1) > -np.inf, name, "holds no action: all are -inf")
        return logits

    def _tempered(self, policy: np.ndarray) -> np.ndarray:
        """Logarithms of the distribution to draw from, [B, A]."""
        if self._temperature == 1:
            return policy
        with np.errstate(over="ignore"):  # to -inf, which is never drawn
            return _log_softmax((policy - policy.max(axis=1, keepdims=True)) / self._temperature)

    def _draw(self, policy: np.ndarray, sampling: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Actions [B, K], -1 where a slot is left over, and their prior's logits, from two [B, A] logarithms."""
        shape = len(policy), self._samples
        drawn = np.sort(draw(np.exp(sampling), self._samples, self._rng), axis=1)
        slot = np.zeros(shape, np.int64)
        slot[:, 1:] = (drawn[:, 1:] != drawn[:, :-1]).cumsum(axis=1)
        rows = np.arange(len(policy))[:, None]
        actions = np.full(shape, -1, np.int32)
        actions[rows, slot] = drawn
        counts = np.bincount((rows * self._samples + slot).ravel(), minlength=drawn.size).reshape(shape)
        return actions, sampled_prior(policy[rows, actions], sampling[rows, actions], counts)


def sampled_prior(policy_logits: np.ndarray, sampling_logits: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Logits of the prior over sampled actions, log(beta_hat / beta * pi) (Hubert et al. 2021, Sampled MuZero).

    With it, expectations over the samples equal expectations over all actions, up to the noise of sampling.  Where
    actions cannot be listed: draw them from any beta, and pass the logarithms of their probabilities.

    Args:
        policy_logits: [B, K] floats, log pi of each sampled action, as a density or up to a constant per row.
        sampling_logits: [B, K] floats, log beta of each, likewise; beta is what they were drawn from.
        counts: [B, K] integers, how often each was drawn, at least one draw per row; beta_hat is the share of a row.

    Returns:
        [B, K] float32; -inf, an action that does not exist, where the count is 0.

    Raises:
        ValueError: an argument has a wrong type, shape or content; the message names it.
        TypeError: an argument is not an array.
    """
    counts = check_array(counts, "counts", "iu", "integers")
    policy_logits = check_array(policy_logits, "policy_logits", "f", "floats", counts.shape)
    sampling_logits = check_array(sampling_logits, "sampling_logits", "f", "floats", counts.shape)
    check_rows(counts >= 0, "counts", "holds a negative number; expected 0 or more")
    check_rows(counts.max(axis=1) > 0, "counts", "holds no sample; expected one at least")
    absent = counts == 0
    check_rows(absent | np.isfinite(policy_logits), "policy_logits", "holds a number that is not finite")
    check_rows(absent | np.isfinite(sampling_logits), "sampling_logits", "holds a number that is not finite")
    share = np.log(np.maximum(counts, 1) / counts.sum(axis=1, keepdims=True))
    ratio = np.where(absent, 0, policy_logits).astype(np.float64) - np.where(absent, 0, sampling_logits)
    return np.where(absent, -np.inf, np.clip(share + ratio, FLOAT32.min, FLOAT32.max)).astype(np.float32)


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
