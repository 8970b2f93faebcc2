"""Distributions over sequences of actions, which a planner draws from and fits to the best of what it drew."""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from typing import Self

import numpy as np
import torch

from muzero.actions import Box, Discrete, Space

LEAST_ROOM = 0.05  # deviation at the bounds: without it, a mean that lies there could never leave


class Sequences(ABC):
    """B distributions over sequences of H actions, each step independent of the others.  They never change."""

    @classmethod
    @abstractmethod
    def begin(cls, space: Space, batch: int, horizon: int, spread: float) -> Self:
        """The widest distributions.  spread: deviation of numbers from -1 to 1."""

    @classmethod
    @abstractmethod
    def numbers(cls, space: Space) -> tuple[int, ...]:
        """Shape of what one action is drawn from."""

    @property
    @abstractmethod
    def kept(self) -> np.ndarray:
        """[B, H, ...] float32: what a planner keeps from move to move."""

    @abstractmethod
    def shifted(self, kept: np.ndarray, first: np.ndarray) -> Self:
        """These distributions, or where the game continues [B] those that were kept at the move before, a step on."""

    @abstractmethod
    def allowed(self, legal: np.ndarray) -> Self:
        """The same with the legal actions [B, columns] alone in the first step."""

    def inside(self) -> Self:
        """The same, narrowed so that hardly anything is drawn beyond the bounds."""
        return self

    @abstractmethod
    def draw(self, normal: np.ndarray) -> np.ndarray:
        """[B, P, H, *shape of an action] from standard normal numbers [B or 1, P, H, *numbers]."""

    @abstractmethod
    def fit(self, drawn: np.ndarray, weights: np.ndarray, momentum: float, least: float) -> Self:
        """The distributions of the best sequences.

        Args:
            drawn: [B, E, H, *shape of an action].
            weights: [B, E], which add up to 1.
            momentum: share of the present distributions in the result.
            least: deviation, or share of each action, that is kept at least.
        """

    @abstractmethod
    def best(self) -> np.ndarray:
        """[B, *shape of an action], the first action of the most probable sequence."""

    @abstractmethod
    def near(self, action: np.ndarray, normal: np.ndarray) -> np.ndarray:
        """[B, *shape] first actions around given ones, from standard normal numbers [B, *numbers]."""

    @abstractmethod
    def target(self, first: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Weights [B, K] and candidates of a `Decision`, from first actions [B, E, *shape] and their weights [B, E]."""


class NormalSequences(Sequences):
    """Real-valued actions: independent normal numbers, clipped to -1 and 1."""

    def __init__(self, mean: np.ndarray, deviation: np.ndarray) -> None:
        self.mean, self.deviation = mean, deviation  # [B, H, D]

    @classmethod
    def begin(cls, space: Space, batch: int, horizon: int, spread: float) -> Self:
        shape = (batch, horizon, *space.shape)
        return cls(np.zeros(shape, np.float32), np.full(shape, spread, np.float32))

    @classmethod
    def numbers(cls, space: Space) -> tuple[int, ...]:
        return space.shape

    @property
    def kept(self) -> np.ndarray:
        return self.mean

    def shifted(self, kept: np.ndarray, first: np.ndarray) -> Self:
        return type(self)(np.where(first[:, None, None], self.mean, step_on(kept)), self.deviation)

    def allowed(self, legal: np.ndarray) -> Self:
        return self

    def inside(self) -> Self:
        room = (1 - np.abs(self.mean)) / 2
        return type(self)(self.mean, np.minimum(self.deviation, np.maximum(room, LEAST_ROOM)).astype(np.float32))

    def draw(self, normal: np.ndarray) -> np.ndarray:
        drawn = self.mean[:, None] + self.deviation[:, None] * normal
        return np.clip(drawn, -1, 1).astype(np.float32)

    def fit(self, drawn: np.ndarray, weights: np.ndarray, momentum: float, least: float) -> Self:
        share = weights[:, :, None, None]
        mean = (share * drawn).sum(1)
        deviation = np.sqrt((share * (drawn - mean[:, None]) ** 2).sum(1))
        mean = momentum * self.mean + (1 - momentum) * mean
        deviation = momentum * self.deviation + (1 - momentum) * deviation
        return type(self)(mean.astype(np.float32), np.maximum(deviation, least).astype(np.float32))

    def best(self) -> np.ndarray:
        return np.clip(self.mean[:, 0], -1, 1).astype(np.float32)

    def near(self, action: np.ndarray, normal: np.ndarray) -> np.ndarray:
        return np.clip(action + self.deviation[:, 0] * normal, -1, 1).astype(np.float32)

    def target(self, first: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        return weights.astype(np.float32), first


class ListedSequences(Sequences):
    """Listed actions: a probability of each at each step."""

    def __init__(self, share: np.ndarray) -> None:
        self.share = share  # [B, H, A], rows add up to 1

    @classmethod
    def begin(cls, space: Space, batch: int, horizon: int, spread: float) -> Self:
        return cls(np.full((batch, horizon, space.columns), 1 / space.columns, np.float32))

    @classmethod
    def numbers(cls, space: Space) -> tuple[int, ...]:
        return ()

    @property
    def kept(self) -> np.ndarray:
        return self.share

    def shifted(self, kept: np.ndarray, first: np.ndarray) -> Self:
        return type(self)(np.where(first[:, None, None], self.share, step_on(kept)))

    def allowed(self, legal: np.ndarray) -> Self:
        share = self.share.copy()
        share[:, 0] = np.where(legal, np.maximum(share[:, 0], 1e-6), 0)
        share[:, 0] /= share[:, 0].sum(1, keepdims=True)
        return type(self)(share)

    def draw(self, normal: np.ndarray) -> np.ndarray:
        below = self.share.cumsum(2)
        place = probability(normal) * below[:, None, :, -1]
        # What has no probability is never drawn: a place is below the last sum.
        return (below[:, None] <= place[..., None]).sum(-1)

    def fit(self, drawn: np.ndarray, weights: np.ndarray, momentum: float, least: float) -> Self:
        actions = np.arange(self.share.shape[2])
        found = (weights[:, :, None, None] * (drawn[..., None] == actions)).sum(1)
        share = momentum * self.share + (1 - momentum) * found
        exists = self.share > 0  # those that are illegal in the first step never come back
        share = np.where(exists, np.maximum(share, least / len(actions)), 0)
        return type(self)((share / share.sum(2, keepdims=True)).astype(np.float32))

    def best(self) -> np.ndarray:
        return self.share[:, 0].argmax(1)

    def near(self, action: np.ndarray, normal: np.ndarray) -> np.ndarray:
        return action

    def target(self, first: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        found = (weights[:, :, None] * (first[:, :, None] == np.arange(self.share.shape[2]))).sum(1)
        return found.astype(np.float32), None


SEQUENCES: dict[type[Space], type[Sequences]] = {Box: NormalSequences, Discrete: ListedSequences}


def step_on(kept: np.ndarray) -> np.ndarray:
    """[B, H, ...] a step later: the last step is repeated."""
    return np.concatenate([kept[:, 1:], kept[:, -1:]], 1)


def probability(normal: np.ndarray) -> np.ndarray:
    """The share of standard normal numbers below each one, in [0, 1)."""
    share = torch.special.ndtr(torch.from_numpy(np.array(normal, np.float64))).numpy()
    return np.minimum(share, np.nextafter(1, 0))


@functools.lru_cache(maxsize=16)
def fixed_normals(iterations: int, population: int, shape: tuple[int, ...]) -> np.ndarray:
    """[iterations, population, *shape] standard normal numbers, the same ever after: points of scrambled Sobol nets.

    They fill space more evenly than random numbers, and depend on nothing.
    """
    width = int(np.prod(shape))
    nets = [torch.quasirandom.SobolEngine(width, scramble=True, seed=number) for number in range(iterations)]
    share = torch.stack([net.draw(population, dtype=torch.float64) for net in nets])
    smallest = 0.5 / population
    table = torch.special.ndtri(share.clamp(smallest, 1 - smallest)).reshape(iterations, population, *shape).numpy()
    table.flags.writeable = False
    return table


def coloured(white: np.ndarray, exponent: float) -> np.ndarray:
    """Numbers whose power falls with the frequency f as 1 / f ** exponent, along axis 2 of [B, P, H, ...].

    From white ones, in the frequency domain (Timmer and Koenig 1995); each number keeps a variance of 1.  What is below
    the lowest frequency, 1 / H, has its power.
    """
    length = white.shape[2]
    frequency = np.fft.rfftfreq(length)
    frequency[0] = 1 / length
    scale = frequency ** (-exponent / 2)
    power = np.concatenate([scale, scale[1 : (length + 1) // 2]]) ** 2  # of all frequencies, negative ones too
    scale = (scale / np.sqrt(power.mean())).reshape(-1, *[1] * (white.ndim - 3))
    return np.fft.irfft(np.fft.rfft(white, axis=2) * scale, n=length, axis=2)
