"""Observing before a search: on a GPU one transfer there, and one replay of a recording."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from muzero.inference.acting import ActingCopy, NotInBfloat16
from muzero.inference.fallback import record, warn_once
from muzero.inference.simulators import Simulators
from muzero.inference.weights import WeightWatcher
from muzero.interfaces import Latent, WorldModel
from muzero.util.bfloat16 import device_has_bfloat16, has_convolutions
from muzero.util.fixed_tensors import FixedTensors
from muzero.util.recorded import Recorded
from muzero.util.tensors import copies

MEMORY = "memory."  # before the names of a latent, which could be those of other inputs


@torch.inference_mode()
def observed(
    model: WorldModel,
    memory: Latent,
    action: np.ndarray,
    observation: np.ndarray | Tensor,
    first: np.ndarray,
    explores: bool = False,
    path: str = "torch",
) -> Latent:
    """The latents of real observations with the model's present weights, as of `WorldModel.observe`, on its device.

    On a GPU a copy of a model with convolutions observes in its place, see `ActingCopy`, and the host does not wait.

    Args:
        model: as it is now, in the mode in which it acts.
        memory: as of `WorldModel.observe`, on the model's device.
        action: [B, *shape of an action].
        observation: [B, *observation], on the host or on the model's device.
        first: [B] bool.
        explores: whether it is for a search that explores.
        path: how to compute on a GPU, as of `muzero.inference.Path`.  "torch" records nothing.  "auto" has convolutions
            in bfloat16 if a search explores and the model does not remember: errors would add up.
    """
    device = next(iter(model.parameters()), torch.empty(0)).device
    given = {"action": action, "observation": observation, "first": first}
    tensors = {name: torch.as_tensor(found) for name, found in given.items()}
    if device.type != "cuda":
        return model.observe(memory, **{name: tensor.to(device) for name, tensor in tensors.items()})
    bfloat16 = path == "auto" and explores and not memory and has_convolutions(model) and device_has_bfloat16(device)
    tensors |= {MEMORY + name: tensor for name, tensor in memory.items()}
    return observe_by_copy(model, tensors, device, bfloat16, path != "torch")


def observed_first(
    model: WorldModel, observation: np.ndarray | Tensor, explores: bool = False, path: str = "torch"
) -> Latent:
    """The latents of observations [B, ...] that stand alone; otherwise as `observed`."""
    batch = len(observation)
    action, first = model.space.none(batch), np.ones(batch, bool)
    return observed(model, model.memory(batch), action, observation, first, explores, path)


def observe_by_copy(
    model: WorldModel, given: dict[str, Tensor], device: torch.device, bfloat16: bool, records: bool
) -> Latent:
    """Observe as on a GPU; see `Observer`."""
    kept = Simulators.of(model)
    kind = bfloat16, records, *((name, rows.shape, rows.dtype, rows.device.type) for name, rows in given.items())
    return kept.observer(kind, lambda: prepared(model, given, device, bfloat16, records))(model, given)


def prepared(
    model: WorldModel, given: dict[str, Tensor], device: torch.device, bfloat16: bool, records: bool
) -> Observer:
    """What observes batches like this one, in float32 if the model does not do so in bfloat16."""
    if not has_convolutions(model):
        return Observer(model, given, device, records)
    kept = Simulators.of(model)
    if bfloat16:
        try:
            return Observer(model, given, device, records, kept.copy(model, device, True))
        except NotInBfloat16 as error:
            warn_once(type(model), error)
    return Observer(model, given, device, records, kept.copy(model, device, False))


class Observer:
    """A model's `observe` for batches of one size, from tensors that stay where they are."""

    def __init__(
        self,
        model: WorldModel,
        given: dict[str, Tensor],
        device: torch.device,
        records: bool,
        acting: ActingCopy | None = None,
    ) -> None:
        """Prepare.

        Args:
            model: observes, or is what the copy follows.
            given: arguments of `observe` by name, as an example: those of the memory with `MEMORY` in front.
            device: of the model.
            records: whether to replay a recording.
            acting: what observes in place of the model.

        Raises:
            NotInBfloat16: if what acts in bfloat16 does not compute.
        """
        self.acting, self.records = acting, records
        self.watcher = WeightWatcher(model)
        self.inputs = FixedTensors(given, device)
        self.names = [name.removeprefix(MEMORY) for name in given if name.startswith(MEMORY)]
        self.network: WorldModel | None = None  # only during a call: an observer must not keep its model alive
        self.latent: Latent = {}
        self.recorded = Recorded(self._observe, device)
        if acting is not None and acting.bfloat16:
            self.inputs.put(given)
            self.network = acting.network
            try:
                self._observe()
            except Exception as error:  # this runs the code of any model
                raise NotInBfloat16(f"{type(error).__name__}: {error}") from error
            finally:
                self.network = None

    def __call__(self, model: WorldModel, given: dict[str, Tensor]) -> Latent:
        """Latents of float32 numbers, which the next call does not overwrite.

        Raises:
            RuntimeError: if the model cannot be recorded.
        """
        if self.acting is not None:
            self.acting.follow()
        elif self.watcher.changed():  # on a GPU: other tensors have taken the place of those that were recorded
            self.recorded.forget()
        self.network = model if self.acting is None else self.acting.network
        self.inputs.put(given)
        try:
            if self.records:
                record(self.recorded, "an observation")
            self.recorded()
        finally:
            self.network = None
        return copies(self.latent)

    def _observe(self) -> None:
        """From `inputs` to `latent`."""
        assert self.network is not None
        given = self.inputs.tensors
        memory = {name: given[MEMORY + name] for name in self.names}
        latent = self.network.observe(memory, given["action"], given["observation"], given["first"])
        self.latent = {name: rows.float() if rows.dtype == torch.bfloat16 else rows for name, rows in latent.items()}
