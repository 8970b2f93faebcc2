"""Sequences of actions imagined by a model: their returns, and what the policy would do."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from muzero.actions import Space
from muzero.inference import Path, simulating
from muzero.inference.simulation import Simulation
from muzero.interfaces import Latent, WorldModel
from muzero.models.heads import policy_of
from muzero.planners.sequences import fixed_normals, probability
from muzero.search.checks import check_rows


class Imagined(NamedTuple):
    """P sequences of actions for each of B positions, the best first."""

    sequences: np.ndarray  # [B, P, H, *shape of an action]
    returns: np.ndarray  # [B, P]
    value: np.ndarray  # [B] float32 of the positions, by the model

    def best(self, count: int) -> Imagined:
        """The first ones."""
        return Imagined(self.sequences[:, :count], self.returns[:, :count], self.value)


@torch.inference_mode()
def imagine(
    model: WorldModel,
    root: Latent,
    drawn: np.ndarray,
    before: Imagined | None,
    legal: np.ndarray,
    rng: np.random.Generator | None,
    proposals: int,
    inference: Path,
    kappa: float = 0.0,
    particles: int = 1,
) -> Imagined:
    """Imagine sequences, and sort them by their returns.

    Args:
        model: imagines.
        root: latents of the positions, B in front.
        drawn: [B, P, H, *shape of an action].
        before: the best of the iteration before; None in the first.
        legal: [B, columns of the space] bool, in the first step.
        rng: the only source of randomness; None: there is none.
        proposals: the first of those drawn are replaced by as many of the best before, or in the first iteration by
            what the policy would do.
        inference: how the model is computed.
        kappa: as of `WorldModel.expand`.
        particles: how often each sequence is imagined, by a model that draws: its return is the mean.  All sequences
            of a position meet the same chance, and without a generator it is always the same.

    Raises:
        ValueError: if a return is not finite; names the row.
    """
    batch, size, horizon = drawn.shape[:3]
    sequences, proposed, policy = drawn.copy(), min(proposals, size), None
    if before is not None:
        proposed = min(proposed, before.sequences.shape[1])
        sequences[:, :proposed] = before.sequences[:, :proposed]
    elif proposed:
        policy = Proposals(model.space, batch, proposed, horizon, legal, rng)
    particles = particles if model.noise else 1
    repeated = {name: latent.repeat_interleave(size * particles, 0) for name, latent in root.items()}
    noise = chance(rng, horizon, batch, size, particles, model.noise)
    with simulating(model, repeated, horizon, inference, 1, kappa, noise, precise=rng is None) as begun:
        value = begun.value.reshape(batch, -1)[:, 0].copy()
        returns = returns_of(begun, sequences, policy, particles)
    check_rows(np.isfinite(returns), "returns of imagined sequences", "holds a number that is not finite")
    order = np.argsort(-returns, 1, kind="stable")
    shaped = order.reshape(*order.shape, *[1] * (sequences.ndim - 2))
    return Imagined(np.take_along_axis(sequences, shaped, 1), np.take_along_axis(returns, order, 1), value)


def chance(
    rng: np.random.Generator | None, horizon: int, batch: int, size: int, particles: int, numbers: int
) -> np.ndarray:
    """[H, B * P * particles, numbers] uniform in (0, 1], what a model draws from: the same for all P sequences."""
    count, source = (1, np.random.default_rng(0)) if rng is None else (batch, rng)
    drawn = 1 - source.random((count, particles, horizon, numbers), np.float32)
    of_steps = drawn.transpose(2, 0, 1, 3)[:, :, None]
    shared = np.broadcast_to(of_steps, (horizon, batch, size, particles, numbers))
    return shared.reshape(horizon, batch * size * particles, numbers)


def returns_of(begun: Simulation, sequences: np.ndarray, policy: Proposals | None, particles: int = 1) -> np.ndarray:
    """[B, P] discounted rewards of sequences [B, P, H, ...], and the value of the state that each leads to.

    The mean over particles.  The first sequences of each position are overwritten with what the policy does, where one
    is given: in the states of their first particles.
    """
    batch, size, horizon = sequences.shape[:3]
    rows, parameters, expand = batch * size * particles, begun.parameters, begun.expand
    assert callable(expand)
    total, alive, last = np.zeros(rows), np.ones(rows), np.zeros(rows)
    for step in range(horizon):
        if policy is not None:
            of_first = parameters.reshape(batch, size, particles, -1)[:, :, 0]
            sequences[:, : policy.count, step] = policy.step(of_first, step)
        node = np.full(rows, step, np.int32)
        edge = sequences[:, :, step].repeat(particles, 1).reshape(rows, *sequences.shape[3:])
        reward, discount, last, parameters = expand(node, edge, node + 1)
        total += alive * reward
        alive = alive * discount
    return (total + alive * last).reshape(batch, size, particles).mean(2)


class Proposals:
    """Actions of the policy, step by step, for the first Q sequences of each position."""

    def __init__(
        self,
        space: Space,
        batch: int,
        count: int,
        horizon: int,
        legal: np.ndarray,
        rng: np.random.Generator | None,
    ) -> None:
        """Draw what the actions are drawn from; without a generator it is always the same."""
        self._space, self._batch, self.count, self._legal = space, batch, count, torch.from_numpy(legal)
        width = policy_of(space, torch.zeros(1, space.parameters)).noise
        if rng is not None:
            noise = 1 - rng.random((batch, count, horizon, width), np.float32)
        else:
            fixed = probability(fixed_normals(1, max(count, 1), (horizon, width))[0, :count])
            noise = np.broadcast_to(fixed.astype(np.float32), (batch, count, horizon, width))
        self._noise = torch.from_numpy(np.array(noise))

    def step(self, parameters: np.ndarray, step: int) -> np.ndarray:
        """[B, Q, *shape of an action] by the policy's parameters [B, P, ...], of which the first Q count."""
        of_rows = torch.from_numpy(np.ascontiguousarray(parameters[:, : self.count])).flatten(0, 1)
        policy = policy_of(self._space, of_rows)
        if step == 0:
            policy = policy.masked(self._legal.repeat_interleave(self.count, 0))
        drawn = policy.sample(self._noise[:, :, step].flatten(0, 1)).numpy()
        return drawn.reshape(self._batch, self.count, *self._space.shape)
