"""Random numbers for a search, passed in as data, and the random choice of a move after it."""

import numpy as np

from muzero.search.checks import check_array, check_generator, check_number, check_rows


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

    Raises:
        ValueError: an argument has a wrong type, shape or content; the message names it.
        TypeError: an argument is not an array, not a number, or not a random generator.
    """
    fraction = check_number(fraction, "fraction", "a number from 0 to 1", lambda x: 0 <= x <= 1)
    alpha = check_number(alpha, "alpha", "a number above 0", lambda x: 0 < x < np.inf)
    prior_logits, allowed = check_prior(prior_logits, legal)
    check_generator(rng)
    logits = np.where(allowed, prior_logits.astype(np.float64), -np.inf)
    prior = np.exp(logits - logits.max(axis=1, keepdims=True))
    prior /= prior.sum(axis=1, keepdims=True)
    noise = np.where(allowed, rng.gamma(alpha, size=prior.shape), 0.0)
    total = noise.sum(axis=1, keepdims=True)
    # With a tiny alpha all gamma samples of a row can underflow to 0; then the row gets no noise.
    noise = np.divide(noise, total, out=prior.copy(), where=total > 0)
    mixed = (1 - fraction) * prior + fraction * noise
    return np.log(np.maximum(mixed, np.finfo(np.float32).tiny)).astype(np.float32)


def sample_action(visits: np.ndarray, temperature: float, rng: np.random.Generator) -> np.ndarray:
    """Actions to play, drawn in proportion to visits ** (1 / temperature) (Schrittwieser et al. 2020, App. D).

    Args:
        visits: [B, A] integers of the roots, as in `Result.visits`; at least one visit in each row.
        temperature: 0 or more; 0 chooses the most visited action, the lowest index among equals.
        rng: source of the draws.

    Returns:
        [B] int64, always actions that were visited.

    Raises:
        ValueError: an argument has a wrong type, shape or content; the message names it.
        TypeError: an argument is not an array, not a number, or not a random generator.
    """
    visits = check_array(visits, "visits", "iu", "integers")
    check_rows(visits >= 0, "visits", "holds a negative number; expected 0 or more")
    check_rows(np.asarray(visits.any(axis=1)), "visits", "holds no visits; expected one at least")
    temperature = check_number(temperature, "temperature", "a finite number, 0 or more", lambda x: 0 <= x < np.inf)
    check_generator(rng)
    if temperature == 0:
        return visits.argmax(axis=1)
    # By logarithms, since a power of 1 / temperature overflows soon; what underflows would never be drawn.
    with np.errstate(divide="ignore", over="ignore"):
        weights = np.exp(np.log(visits / visits.max(axis=1, keepdims=True)) / temperature)
    return draw(weights, 1, rng)[:, 0]


def draw(weights: np.ndarray, samples: int, rng: np.random.Generator | None) -> np.ndarray:
    """[B, samples] int64 indices, drawn with replacement in proportion to weights [B, A] float64.

    Takes exactly B * samples numbers from `rng`, so what is drawn in a row does not depend on the other rows' weights.
    Without `rng`: the indices in the middle of so many equal shares of the weights.
    """
    total = weights.cumsum(axis=1)
    actions = total.shape[1]
    share = (np.arange(samples) + 0.5) / samples if rng is None else rng.random((len(weights), samples))
    # Less than the last total even when rounded, so an index without weight is never drawn.
    place = share * total[:, -1:]
    index = np.zeros(place.shape, np.int64)  # the number of totals found so far that do not exceed the place
    for bit in reversed(range(actions.bit_length())):
        further = index + (1 << bit)
        last = np.take_along_axis(total, np.minimum(further, actions) - 1, axis=1)
        index = np.where((further <= actions) & (last <= place), further, index)
    return index


def check_prior(prior_logits: np.ndarray, legal: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Copies of logits [B, A] and mask [B, A], all actions if None.  Raises what a search would raise for them."""
    prior_logits = check_array(prior_logits, "prior_logits", "f", "float32")
    check_rows(np.isfinite(prior_logits), "prior_logits", "holds a number that is not finite")
    if legal is None:
        return prior_logits, np.ones(prior_logits.shape, bool)
    legal = check_array(legal, "legal", "b", "bool", prior_logits.shape)
    check_rows(np.asarray(legal.any(axis=1)), "legal", "allows no action")
    return prior_logits, legal
