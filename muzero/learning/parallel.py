"""Several learners, one process each, that make every update together (PyTorch's torchrun starts them).

Each learner draws its share of a batch from a replay of its own.  Gradients are averaged before they are clipped, so
all make the same step from the same weights, and the weights of all stay the same.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from typing import Any, NoReturn

import torch
import torch.distributed as dist
from torch import Tensor

# A learner that dies is noticed at once, because its connections close.  This is for one that hangs, and longer than
# the evaluations for which the others wait.
PATIENCE = timedelta(minutes=30)
EXACT = 6  # bytes of a digest that a float64 holds exactly


class LostLearner(RuntimeError):
    """Another learner ended or hangs, or does something else than this one."""


@dataclass(frozen=True)
class Learners:
    """The learners of a run, as one of them sees them."""

    rank: int = 0  # of this one
    size: int = 1  # number of all
    here: int = 1  # number on this machine
    place: int = 0  # of this one among those on this machine
    gradients: Any = None  # the group of processes that averages what lies on the device

    @property
    def alone(self) -> bool:
        """Whether there is only one."""
        return self.size == 1

    @property
    def leads(self) -> bool:
        """Whether this one writes what a run has once: metrics, evaluations."""
        return self.rank == 0

    @torch.no_grad()
    def average(self, tensors: Sequence[Tensor]) -> None:
        """Replace float32 tensors by their means over all learners, in one exchange; NaN in one is NaN in all.

        Raises:
            LostLearner: if another learner does not answer.
        """
        if self.alone:
            return
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
        try:
            dist.all_reduce(flat, group=self.gradients)
        except RuntimeError as error:
            self._lost(error)
        parts = flat.div_(self.size).split([tensor.numel() for tensor in tensors])
        torch._foreach_copy_(  # type: ignore[attr-defined]
            list(tensors), [part.view(tensor.shape) for part, tensor in zip(parts, tensors, strict=True)]
        )

    def gather(self, purpose: str, *numbers: float) -> list[tuple[float, ...]]:
        """The numbers of all learners, in their order; to be called by all with as many numbers.

        purpose: in words; learners that exchange different things notice it.

        Raises:
            LostLearner: if another learner does not answer, or exchanges something else.
        """
        if self.alone:
            return [numbers]
        mine = torch.tensor([zlib.crc32(purpose.encode()), *numbers], dtype=torch.float64)
        found = [torch.empty_like(mine) for _ in range(self.size)]
        try:
            dist.all_gather(found, mine)
        except RuntimeError as error:
            self._lost(error)
        for rank, row in enumerate(found):
            if row[0] != mine[0]:
                raise LostLearner(f"learner {rank} is not at the same point: learner {self.rank} exchanges {purpose}")
        return [tuple(row[1:].tolist()) for row in found]

    def require_same(self, tensors: Mapping[str, Mapping[str, Tensor]]) -> None:
        """Compare tensors of all learners by a digest.

        Raises:
            LostLearner: if they are not the same bytes in all.
        """
        if self.alone:
            return
        digests = self.gather("a digest of the weights", digest(tensors))
        for rank, other in enumerate(digests):
            if other != digests[0]:
                raise LostLearner(f"the weights of learner {rank} are not those of learner 0")

    def _lost(self, error: RuntimeError) -> NoReturn:
        reason = str(error).strip().split("\n")[0]
        raise LostLearner(f"learner {self.rank} of {self.size} waits for another in vain: {reason}") from error


ALONE = Learners()


def digest(tensors: Mapping[str, Mapping[str, Tensor]]) -> int:
    """A number of 48 bits that says which bytes these are."""
    found = sha256()
    for group, named in sorted(tensors.items()):
        for name, tensor in sorted(named.items()):
            found.update(f"{group}/{name}".encode())
            found.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return int.from_bytes(found.digest()[:EXACT], "little")


def number() -> int:
    """The number of learners that torchrun, or what sets the same variables, started; 1 without it."""
    complete = {"RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"} <= os.environ.keys()
    return int(os.environ["WORLD_SIZE"]) if complete else 1


def join(device: torch.device) -> tuple[Learners, torch.device]:
    """Meet the other learners, if there are any.

    Args:
        device: of the learner, as settings name it.

    Returns:
        the learners, and the device: of several GPUs each learner takes its own.

    Raises:
        LostLearner: if the others do not come.
    """
    if (size := number()) == 1:
        return ALONE, device
    rank = int(os.environ["RANK"])
    place, here = int(os.environ.get("LOCAL_RANK", rank)), int(os.environ.get("LOCAL_WORLD_SIZE", size))
    if device.type == "cuda":
        device = torch.device("cuda", place)
        torch.cuda.set_device(device)
    try:
        dist.init_process_group("gloo", rank=rank, world_size=size, timeout=PATIENCE)
        # What is decided on the host is exchanged there, so that a GPU is not waited for.
        gradients = dist.new_group(backend="nccl", timeout=PATIENCE) if device.type == "cuda" else None
    except RuntimeError as error:
        raise LostLearner(f"learner {rank} of {size} does not find the others: {error}") from error
    return Learners(rank, size, here, place, gradients), device


def leave() -> None:
    """Part from the other learners."""
    if dist.is_initialized():
        with suppress(RuntimeError):  # of others that are gone already
            dist.destroy_process_group()
