"""What searches of a model leave for the next: buffers, compiled networks, copies that act."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from muzero.inference.acting import ActingCopy
from muzero.inference.onnx_backend import OnnxModel
from muzero.inference.torch_backend import TorchModel
from muzero.interfaces import Latent, WorldModel
from muzero.search import Evaluation

# Simulators of a model that are kept for the next search of their shape, and what observes before it, as many as
# self-play, reanalyse and an evaluation have; the one unused longest goes first.
IDLE = 16


Observes = Callable[[WorldModel, dict[str, Tensor]], Latent]
"""As `muzero.inference.observation.Observer` is called."""


class Simulator(Protocol):
    """The buffers of one search, and what fills them."""

    def begin(
        self, model: WorldModel, root: Latent, kappa: float, noise: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Start a search with the model's present weights.

        Args:
            model: as it is now.
            root: latents of the roots, B in front.
            kappa: as of `WorldModel.expand`.
            noise: [simulations, B, noise of the model]; None: the simulator was made for none.

        Returns:
            the policy's parameters [B, P] and the value [B] of the roots.
        """
        ...

    def expand(self, parent: np.ndarray, edge: np.ndarray, node: np.ndarray) -> Evaluation:
        """Evaluate one edge of each tree, as `muzero.search.Expand` describes."""
        ...

    def launch(self, parent: np.ndarray, edge: np.ndarray, node: np.ndarray) -> Callable[[], Evaluation]:
        """Begin to evaluate one edge of each tree, as `muzero.search.Launch` describes."""
        ...

    def end(self) -> None:
        """Release the model, which a simulator must not keep alive."""
        ...


class Simulators:
    """What searches of a model leave for later ones, kept as the model's attribute `simulators`.

    It is freed with the model.  A copy of the model, a pickled model and a forked process begin without: sessions of
    onnxruntime cannot be copied, and their threads do not exist in a forked process.
    """

    def __init__(self) -> None:
        self.process = os.getpid()
        self.models: dict[Any, OnnxModel | TorchModel] = {}
        self.copies: dict[Any, ActingCopy] = {}  # by device, and whether in bfloat16
        self.idle: list[tuple[Any, Simulator]] = []  # the one used last at the end
        self.observers: dict[Any, Observes] = {}  # the one used last at the end

    @classmethod
    def of(cls, model: WorldModel) -> Simulators:
        """Those of a model, empty at its first search in this process."""
        if model.simulators is None or model.simulators.process != os.getpid():
            model.simulators = cls()
        return model.simulators

    def __reduce__(self) -> tuple[type[Simulators], tuple[()]]:
        return Simulators, ()

    def copy(self, model: WorldModel, device: torch.device, bfloat16: bool) -> ActingCopy:
        """What acts in place of the model on a GPU."""
        key = device, bfloat16
        if key not in self.copies:
            self.copies[key] = ActingCopy(model, device, bfloat16)
        return self.copies[key]

    def observer(self, kind: Any, make: Callable[[], Observes]) -> Observes:
        """What observes batches of this kind; made if there is none."""
        found = self.observers.pop(kind, None) or make()
        self.observers[kind] = found
        if len(self.observers) > IDLE:
            del self.observers[next(iter(self.observers))]
        return found

    def take(self, key: Any) -> Simulator | None:
        """An idle simulator of this shape."""
        for place, (other, simulator) in enumerate(self.idle):
            if other == key:
                del self.idle[place]
                return simulator
        return None

    def give_back(self, key: Any, simulator: Simulator) -> None:
        """Keep a simulator for the next search."""
        simulator.end()
        self.idle = [*self.idle, (key, simulator)][-IDLE:]
