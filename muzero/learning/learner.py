"""The learner: model, slow copy and optimiser; one update per call, which a GPU is not waited for."""

import copy
import math
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from muzero.config import Range
from muzero.interfaces import Loss, Objective, Window, WorldModel, observe_first
from muzero.learning.precision import Precision, has_convolutions, learns_in_bfloat16
from muzero.util.failpoints import failpoint
from muzero.util.seeds import derive

SLOTS = ("step", "exp_avg", "exp_avg_sq", "momentum_buffer")


class Update(NamedTuple):
    """What an update gives: tensors on the learner's device, which are ready when the device has computed them."""

    metrics: dict[str, Tensor]  # scalars: the objective's terms and metrics, and "gradient", the gradient's norm
    priority: Tensor  # [B] new priorities of the rows; meaningless where the update was skipped
    finite: Tensor  # bool, scalar; false: the gradient was not finite, and the update was skipped
    terms: tuple[str, ...]  # names of the metrics whose sum was minimised


class Learner:
    """Improves a model by gradient steps on an objective."""

    def __init__(
        self,
        model: WorldModel,
        objective: Objective,
        device: torch.device,
        seed: int,
        *,
        batch: Annotated[int, Range(1, 65_536)] = 128,
        optimizer: Literal["adamw", "sgd"] = "adamw",
        learning_rate: Annotated[float, Range(0.0, 10.0)] = 1e-3,
        weight_decay: Annotated[float, Range(0.0, 1.0)] = 1e-4,
        momentum: Annotated[float, Range(0.0, 1.0)] = 0.9,
        clip: Annotated[float, Range(0.0, 1e6)] = 5.0,
        warmup: Annotated[int, Range(0, 1_000_000)] = 100,
        final_rate: Annotated[float, Range(0.0, 1.0)] = 0.1,
        hold: Annotated[float, Range(0.0, 1.0)] = 0.0,
        target_every: Annotated[int, Range(1, 1_000_000)] = 200,
        target_rate: Annotated[float, Range(1e-6, 1.0)] = 1.0,
        average: Annotated[float, Range(0.0, 0.999999)] = 0.0,
        precision: Precision = "auto",
    ) -> None:
        """Move the model and the objective to the device, and make the optimiser.

        Args:
            model: learns.
            objective: what is learned.
            device: of all computation.
            seed: of everything random in the objective.
            batch: windows per update.
            optimizer: "adamw", or "sgd" with momentum.
            learning_rate: the largest learning rate, after the warm-up.
            weight_decay: decay of matrices and kernels; vectors, as biases and scales, are not decayed.
            momentum: momentum of "sgd"; "adamw" does not use it.
            clip: largest norm of the whole gradient; 0 does not clip.
            warmup: updates over which the learning rate rises from near 0.
            final_rate: share of `learning_rate` left at the end of the run, to which it falls along a cosine.  The end
                is that of its steps or of its time, whichever is nearer.
            hold: share of the run before the learning rate begins to fall.  With averaged weights a large rate costs
                little strength, and what is learned at a small one is little.
            target_every: updates after which the slow copy follows the model.
            target_rate: how far the weights of the slow copy move to the model's every `target_every` updates: 1 copies
                them; below 1 the slow copy is a moving average, which usually moves at every update
                (`target_every` = 1).
            average: decay of a moving average of the weights, which plays, is evaluated and is the model of a
                checkpoint; 0: the weights themselves.  About 1 / (1 - average) updates are averaged, fewer at first.
                Averaged weights play better than those of any one update, the more so the larger the learning rate.
            precision: numbers of an update's convolutions and matrix products: "float32", "bfloat16", or "auto", which
                is bfloat16 for models with convolutions where the device has instructions for it.
        """
        self.model = model.to(device)
        self.objective = objective.to(device)
        self.bfloat16 = learns_in_bfloat16(precision, model, device)
        if has_convolutions(model):
            self.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.target = copy.deepcopy(self.model).eval().requires_grad_(False)
        self.average = average
        self.acting = copy.deepcopy(self.model).eval().requires_grad_(False) if average else self.model
        self.target_follower, self.acting_follower = (Follower(slow, model) for slow in (self.target, self.acting))
        self.device, self.seed = device, seed
        self.generator = torch.Generator(device)  # of the objective; seeded for every update
        self.batch = batch
        self.learning_rate, self.final_rate, self.warmup, self.hold = learning_rate, final_rate, warmup, hold
        self.clip = clip
        self.target_every, self.target_rate = target_every, target_rate
        self.parameters = [*self.model.parameters(), *self.objective.parameters()]
        self.optimizer = self._optimizer(optimizer, learning_rate, weight_decay, momentum)
        self._begin_momentum()
        # What a forward pass writes, such as means of batch normalisation: undone after a batch with non-finite values.
        self.statistics = [*self.model.buffers(), *self.objective.buffers()]
        self.updates = 0
        self.skipped = 0  # in all
        self.skipped_in_a_row = 0

    def _optimizer(self, name: str, rate: float, weight_decay: float, momentum: float) -> torch.optim.Optimizer:
        """The optimiser of a name, which decays matrices and kernels but not vectors."""
        groups = [
            {"params": [p for p in self.parameters if p.ndim > 1], "weight_decay": weight_decay},
            {"params": [p for p in self.parameters if p.ndim <= 1], "weight_decay": 0.0},
        ]
        if name == "adamw":
            return torch.optim.AdamW(groups, lr=rate, fused=True)
        return torch.optim.SGD(groups, lr=rate, momentum=momentum, fused=True)

    @torch.enable_grad()  # an environment that uses torch itself may have switched gradients off
    def update(self, window: Window, progress: float) -> Update:
        """One gradient step, launched on the device: nothing here waits for what it computes.

        A step whose gradient is not finite changes no weight, no statistic and no state of the optimiser.  It is
        counted once the caller has read the flag, see `count`.

        Args:
            window: the batch.
            progress: share of the run that is done, 0 to 1.

        Raises:
            ValueError: if the objective gives two figures the same name.
        """
        self.model.train()
        window = window.to(self.device)
        if failpoint("learner.poison_batch"):
            window.reward.fill_(math.nan)
        before = [statistic.clone() for statistic in self.statistics]
        self.generator.manual_seed(derive(self.seed, "objective", self.updates))
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bfloat16):
            loss = self.objective(self.model, self.target, window, self.generator)
        terms = {name: (term * window.weight).mean() for name, term in loss.terms.items()}
        self.optimizer.zero_grad(set_to_none=True)
        torch.stack(list(terms.values())).sum().backward()
        failpoint("learner.after_backward")
        norm = torch.nn.utils.clip_grad_norm_(self.parameters, self.clip or math.inf)
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate(progress)
        finite = torch.isfinite(norm)
        # Where this flag is 1, fused optimisers change nothing, step counters included, and the host need not read it.
        self.optimizer.found_inf = (~finite).float()  # type: ignore[attr-defined]
        self.optimizer.step()
        for statistic, kept in zip(self.statistics, before, strict=True):
            torch.where(finite, statistic, kept, out=statistic)
        self.updates += 1
        if self.updates % self.target_every == 0:
            self.target_follower.follow(self.target_rate, finite)
        if self.average:
            decay = min(self.average, (1 + self.updates) / (10 + self.updates))
            self.acting_follower.follow(1 - decay, finite)
        return Update(figures(terms, loss, norm), loss.priority.detach().float(), finite, tuple(terms))

    def count(self, finite: bool) -> None:
        """Count an update by its flag; to be called once for each, in their order."""
        self.skipped += not finite
        self.skipped_in_a_row = 0 if finite else self.skipped_in_a_row + 1

    def _begin_momentum(self) -> None:
        """Give "sgd" velocities of 0: fused, it would make them of unset memory in a first step that is skipped."""
        for group in self.optimizer.param_groups:
            if group.get("momentum"):
                for parameter in group["params"]:
                    self.optimizer.state[parameter].setdefault("momentum_buffer", torch.zeros_like(parameter))

    def rate(self, progress: float) -> float:
        """The learning rate at this point of the run."""
        rise = min(1.0, (self.updates + 1) / (self.warmup + 1))
        falling = min(max(0.0, progress - self.hold) / max(1 - self.hold, 1e-9), 1.0)
        fall = self.final_rate + (1 - self.final_rate) * 0.5 * (1 + math.cos(math.pi * falling))
        return self.learning_rate * rise * fall

    @torch.inference_mode()
    def is_finite(self, observation: Tensor) -> bool:
        """Whether all weights, and the outputs for observations [B, *observation], are finite; only then publish."""
        if failpoint("learner.poison_weights"):
            next(self.model.parameters()).data.fill_(math.nan)
        tensors = [tensor for tensor in self.model.state_dict().values() if tensor.is_floating_point()]
        if not all(torch.isfinite(tensor).all() for tensor in tensors):
            return False
        model = self.acting.eval()
        latent = observe_first(model, observation.to(self.device))
        action = torch.from_numpy(model.space.none(len(observation))).to(self.device)
        latent, transition = model.imagine(latent, action)
        prediction = model.predict(latent)
        numbers = [
            transition.reward.mean,
            transition.discount.mean,
            prediction.value.mean,
            prediction.policy.parameters,
        ]
        return all(bool(torch.isfinite(number).all()) for number in numbers)

    def weights(self) -> dict[str, np.ndarray]:
        """A copy of the weights that act."""
        return {name: tensor.detach().cpu().numpy().copy() for name, tensor in self.acting.state_dict().items()}

    def state(self) -> tuple[dict[str, dict[str, Tensor]], dict[str, Any]]:
        """Tensors by file name, and plain values, from which `restore` makes the same learner."""
        slots = self.optimizer.state_dict()["state"]
        tensors = {
            "model": dict(self.acting.state_dict()),
            "target": dict(self.target.state_dict()),
            "objective": dict(self.objective.state_dict()),
            "optimizer": {
                f"{number}.{name}": tensor
                for number, slot in slots.items()
                for name, tensor in slot.items()
                if tensor is not None
            },
        }
        if self.average:
            tensors["learning"] = dict(self.model.state_dict())
        return tensors, {"updates": self.updates, "skipped": self.skipped}

    def check(self, slots: dict[str, Tensor]) -> None:
        """Check an optimiser's tensors, as `state` gives them, against the parameters.

        Raises:
            ValueError: naming the first that does not fit.
        """
        shapes = [parameter.shape for group in self.optimizer.param_groups for parameter in group["params"]]
        for key, tensor in slots.items():
            number, name = key.split(".", 1)
            fits = name in SLOTS and number.isdigit() and int(number) < len(shapes) and tensor.is_floating_point()
            if not fits or tensor.shape != (shapes[int(number)] if name != "step" else ()):
                raise ValueError(
                    f"optimizer: {key} is {tensor.dtype} {tuple(tensor.shape)}, which fits none of its parameters"
                )

    def restore(self, tensors: dict[str, dict[str, Tensor]], values: dict[str, Any]) -> None:
        """Take over the `state` of another learner."""
        self.acting.load_state_dict(tensors["model"])
        self.model.load_state_dict(tensors.get("learning", tensors["model"]))
        self.target.load_state_dict(tensors["target"])
        self.objective.load_state_dict(tensors["objective"])
        slots: dict[int, dict[str, Tensor]] = {}
        parameters = [parameter for group in self.optimizer.param_groups for parameter in group["params"]]
        for key, tensor in tensors["optimizer"].items():
            number, name = key.split(".", 1)
            slots.setdefault(int(number), {})[name] = (
                tensor if name == "step" else like(parameters[int(number)], tensor)
            )
        self.optimizer.load_state_dict({"state": slots, "param_groups": self.optimizer.state_dict()["param_groups"]})
        self._begin_momentum()  # a checkpoint from before the first update has none
        self.updates, self.skipped, self.skipped_in_a_row = int(values["updates"]), int(values["skipped"]), 0


@torch.no_grad()
def like(parameter: Tensor, tensor: Tensor) -> Tensor:
    """The same numbers, laid out in memory as a parameter's: fused optimisers read both side by side."""
    return torch.empty_like(parameter).copy_(tensor)


class Follower:
    """Moves the weights and statistics of a slow copy towards those of a model, whose tensors stay the same ones."""

    def __init__(self, slow: WorldModel, model: WorldModel) -> None:
        pairs = [*zip(slow.state_dict().values(), model.state_dict().values(), strict=True)]
        self.numbers = [pair for pair in pairs if pair[0].is_floating_point()]
        self.counts = [pair for pair in pairs if not pair[0].is_floating_point()]

    @torch.no_grad()
    def follow(self, rate: float, finite: Tensor) -> None:
        """Move by a share of the way; at 1, copy.  Counts are always copied.

        finite: bool, scalar; where false, the model has not changed, and a share of the way is not moved.
        """
        slow, model = zip(*self.numbers, strict=True)
        if rate < 1:
            torch._foreach_lerp_(slow, model, [rate * finite.float()] * len(slow))  # type: ignore[attr-defined]
        else:
            torch._foreach_copy_(slow, model)  # type: ignore[attr-defined]
        for mine, other in self.counts:
            mine.copy_(other)


@torch.no_grad()
def figures(terms: dict[str, Tensor], loss: Loss, norm: Tensor) -> dict[str, Tensor]:
    """What is shown of an update: means of loss terms and of the objective's metrics, and the gradient's norm.

    Raises:
        ValueError: naming the figure that there is twice.
    """
    found = {name: term.detach() for name, term in terms.items()}
    for name, figure in [*loss.metrics.items(), ("gradient", norm)]:
        if name in found:
            raise ValueError(
                f"the objective gives two figures the name {name!r}; terms and metrics need different names"
            )
        found[name] = figure.detach().float().mean()
    return found
