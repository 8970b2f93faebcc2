"""Randomness of a search, made by the caller and handed in as data."""

import numpy as np


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
