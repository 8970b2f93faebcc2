"""What is learned from: windows of experience, and objectives."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import NamedTuple

import torch
from torch import Tensor, nn

from muzero.interfaces.models import WorldModel


@dataclass(frozen=True)
class Window:
    """A training batch: C positions of context, and W real steps from B sampled positions.

    Every axis of positions or steps begins C positions before the sampled one, which is number C.  Past the end of a
    game a row continues in an absorbing state (``over``: value and reward 0); past a cut, where nothing is known,
    ``known`` is false.  Where a game has fewer than C positions before the sampled one, its first one is repeated.

    A reward and a discount belong to the step from position k to k + 1.
    """

    observation: Tensor  # [B, C + O, *observation]: as many positions as the objective asked for
    first: Tensor  # [B, C + O] bool, the first position of a game, or of what is left of it
    before: Tensor  # [B, *shape of an action] the action that led to position 0; nothing where that is first
    action: Tensor  # [B, C + W, *shape of an action]; random where over
    reward: Tensor  # [B, C + W]
    discount: Tensor  # [B, C + W]
    value: Tensor  # [B, C + W + 1] the search's values
    policy: Tensor  # [B, C + O, K] the search's policies: weights of K candidates; all zeros: there is none
    taught: Tensor  # [B, C + O] bool, the policy is a training target; false where it was searched cheaply
    planned: Tensor  # [B, C + W] bool, the planner chose the action; false where it was drawn at random
    known: Tensor  # [B, C + W + 1] bool; a transition k is known if position k + 1 is
    over: Tensor  # [B, C + W + 1] bool
    weight: Tensor  # [B] importance weights of prioritised sampling
    number: Tensor  # [B] int64, the sampled rows' numbers in the replay, which never repeat
    age: Tensor  # [B] int64, rows that the replay has written since
    candidates: Tensor | None = None  # [B, C + O, K, *shape of an action]; None: candidate k is action k
    context: int = 0  # C

    def to(self, device: torch.device) -> Window:
        """The same window on another device."""
        return replace(self, **{name: field.to(device, non_blocking=True) for name, field in self.tensors().items()})

    def tensors(self) -> dict[str, Tensor]:
        """The fields that are tensors, by name."""
        return {name: field for name, field in vars(self).items() if isinstance(field, Tensor)}


class WindowSize(NamedTuple):
    """How much of a game an objective looks at."""

    steps: int  # W: real steps
    observations: int  # O: positions of which the observation and the policy are needed
    context: int = 0  # C: positions before the sampled one


class Loss(NamedTuple):
    """What an objective makes of a window."""

    terms: dict[str, Tensor]  # name -> [B], weighted; their sum is minimised
    priority: Tensor  # [B] how wrong the model was, for prioritised replay; no gradient
    metrics: Mapping[str, Tensor] = MappingProxyType({})  # name -> scalar or [B]; shown, not minimised


class Objective(nn.Module, ABC):
    """What is learned.  Its parameters are those that only training needs."""

    window: WindowSize
    unroll: int = 1
    """Steps that the model is taught to imagine."""

    def refuses(self, batch: int) -> str | None:
        """Why it cannot learn from batches of this many windows, and the remedy, in words; None if it can."""
        return None

    @abstractmethod
    def forward(self, model: WorldModel, target_model: WorldModel, window: Window, generator: torch.Generator) -> Loss:
        """Losses of a model on a window.

        Args:
            model: learns.
            target_model: the slow copy of the model.
            window: the batch, on the device of the models.
            generator: the only source of randomness, on the same device.
        """
