"""The optimisers of a learner: fused ones, which skip a step by a flag on the device, and their state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

SLOTS = ("step", "exp_avg", "exp_avg_sq", "momentum_buffer")


def make(name: str, parameters: Sequence[nn.Parameter], rate: float, decay: float, momentum: float) -> Optimizer:
    """The optimiser of a name, "adamw" or "sgd", which decays matrices and kernels but not vectors."""
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    if name == "adamw":
        return torch.optim.AdamW(groups, lr=rate, fused=True)
    made = torch.optim.SGD(groups, lr=rate, momentum=momentum, fused=True)
    begin_momentum(made)
    return made


def begin_momentum(optimizer: Optimizer) -> None:
    """Give "sgd" velocities of 0: fused, it would make them of unset memory in a first step that is skipped."""
    for group in optimizer.param_groups:
        if group.get("momentum"):
            for parameter in group["params"]:
                optimizer.state[parameter].setdefault("momentum_buffer", torch.zeros_like(parameter))


def record(optimizer: Optimizer, device: torch.device) -> None:
    """Prepare for steps that are recorded as a CUDA graph: the learning rate becomes a number on the device."""
    for group in optimizer.param_groups:
        group["lr"] = torch.tensor(group["lr"], device=device)
        if "capturable" in group:
            group["capturable"] = True


def set_rate(optimizer: Optimizer, rate: float) -> None:
    """Set the learning rate, in place where a recorded step reads it."""
    for group in optimizer.param_groups:
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate


def state(optimizer: Optimizer) -> dict[str, Tensor]:
    """Its tensors, by number of the parameter and name."""
    return {
        f"{number}.{name}": tensor
        for number, slot in optimizer.state_dict()["state"].items()
        for name, tensor in slot.items()
        if tensor is not None
    }


def check(optimizer: Optimizer, slots: Mapping[str, Tensor]) -> None:
    """Compare tensors, as `state` gives them, with the parameters.

    Raises:
        ValueError: naming the first that does not fit.
    """
    shapes = [parameter.shape for group in optimizer.param_groups for parameter in group["params"]]
    for key, tensor in slots.items():
        number, name = key.split(".", 1)
        fits = name in SLOTS and number.isdigit() and int(number) < len(shapes) and tensor.is_floating_point()
        if not fits or tensor.shape != (shapes[int(number)] if name != "step" else ()):
            raise ValueError(
                f"optimizer: {key} is {tensor.dtype} {tuple(tensor.shape)}, which fits none of its parameters"
            )


def restore(optimizer: Optimizer, slots: Mapping[str, Tensor]) -> None:
    """Take over the `state` of another; its tensors are new ones."""
    found: dict[int, dict[str, Tensor]] = {}
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    for key, tensor in slots.items():
        number, name = key.split(".", 1)
        found.setdefault(int(number), {})[name] = tensor if name == "step" else like(parameters[int(number)], tensor)
    optimizer.load_state_dict({"state": found, "param_groups": optimizer.state_dict()["param_groups"]})
    begin_momentum(optimizer)  # a checkpoint from before the first update has none


@torch.no_grad()
def like(parameter: Tensor, tensor: Tensor) -> Tensor:
    """The same numbers, laid out in memory as a parameter's: fused optimisers read both side by side."""
    return torch.empty_like(parameter).copy_(tensor)
