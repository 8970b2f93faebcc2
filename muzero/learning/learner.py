"""The learner: model, slow copy and optimiser; one update per call, which a GPU is not waited for."""

import copy
import math
from contextlib import nullcontext
from typing import Annotated, Any, Literal

import torch
from torch import Tensor

from muzero.config import Range
from muzero.interfaces import Objective, Window, WorldModel, no_action, observe_first
from muzero.learning import optimizers
from muzero.learning.compiling import Compile, compiled, compiles
from muzero.learning.follower import Follower
from muzero.learning.parallel import ALONE, Learners
from muzero.learning.precision import Precision, has_convolutions, learns_in_bfloat16
from muzero.learning.recorded import FixedWindow
from muzero.learning.statistics import Statistics
from muzero.learning.update import Update, joined
from muzero.util.failpoints import failpoint
from muzero.util.recorded import Recorded
from muzero.util.seeds import derive
from muzero.util.tensors import copies


class Learner:
    """Improves a model by gradient steps on an objective."""

    def __init__(
        self,
        model: WorldModel,
        objective: Objective,
        device: torch.device,
        seed: int,
        learners: Learners = ALONE,
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
        record: bool = True,
        compile: Compile = "auto",
    ) -> None:
        """Move the model and the objective to the device, and make the optimiser.

        Args:
            model: learns.
            objective: what is learned.
            device: of all computation.
            seed: of everything random in the objective.
            learners: this one and those that make every update with it.
            batch: windows per update, of all learners together.
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
            record: record an update as a CUDA graph where there is a GPU, and replay it, which takes a fraction of the
                time.  Turn it off for an objective or a model of your own that reads numbers of tensors in Python.
            compile: "auto" compiles the parts of models with convolutions where there is a GPU, before an update is
                recorded.  It takes about half a minute and makes updates about 1.5 times as fast; "off" suits short
                runs.
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
        self.learners, self.device = learners, device
        # Each of several learners draws other numbers.
        self.seed = seed if learners.leads else derive(seed, "learner", learners.rank)
        self.generator = torch.Generator(device)  # of the objective; seeded for every update
        self.batch = batch // learners.size  # windows that `update` takes
        self.learning_rate, self.final_rate, self.warmup, self.hold = learning_rate, final_rate, warmup, hold
        self.clip = clip
        self.target_every, self.target_rate = target_every, target_rate
        self.parameters = [*self.model.parameters(), *self.objective.parameters()]
        self.optimizer = optimizers.make(optimizer, self.parameters, learning_rate, weight_decay, momentum)
        self.share = torch.ones((), device=device)  # that averaged weights move
        # What an update gives; see `Update`.
        self.numbers, self.names, self.terms = torch.empty(0), (), ()
        self.recording, self.compiles = False, compiles(compile, model, device)
        self.inputs: FixedWindow | None = None  # of recorded updates
        self.recorded = Recorded(self._work_on_inputs, device)
        # In a recording, an exchange with a learner that was lost would be waited for without end.
        if record and device.type == "cuda" and self.learners.alone:
            self._begin_recording()
        self.statistics = Statistics(self.model, self.objective)
        self.updates = 0
        self.skipped = 0  # in all
        self.skipped_in_a_row = 0

    def _begin_recording(self) -> None:
        """Have updates recorded; what changes from one to the next lies on the device."""
        self.recording = True
        optimizers.record(self.optimizer, self.device)

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
        if failpoint("learner.poison_batch"):
            window.reward.fill_(math.nan)
        self._set_rates(progress)
        self.generator.manual_seed(derive(self.seed, "objective", self.updates))
        if self.recording:
            self._replay(window)
            numbers = self.numbers.clone()  # the next update writes its own in the same place
        else:
            self._work(window.to(self.device))
            numbers = self.numbers
        update = Update(numbers, self.names, self.terms)
        self.updates += 1
        if self.updates % self.target_every == 0:
            if self.target_rate == 1:
                self.target_follower.copy()
            else:
                self.target_follower.move(self.target_rate, update.finite)
        return update

    def _set_rates(self, progress: float) -> None:
        """Set the learning rate and the share of the averaged weights, where a recorded update reads them."""
        optimizers.set_rate(self.optimizer, self.rate(progress))
        done = self.updates + 1
        self.share.fill_(1 - min(self.average, (1 + done) / (10 + done)))

    def _replay(self, window: Window) -> None:
        """Make an update by the recording of one, which the first call and a batch of another shape make."""
        if self.inputs is None or not self.inputs.fits(window):
            self.inputs = FixedWindow(window, self.device)
            self.recorded.forget()
        if not self.recorded.prepared:
            self.inputs.put(window)
            self.inputs.window.weight.fill_(math.nan)  # an update without a finite gradient leaves no trace
            with compiled(self.model, self.target) if self.compiles else nullcontext():
                try:
                    self.recorded.prepare(self.generator)
                except RuntimeError as error:
                    first = "learner.compile=off, and if that does not help --set " if self.compiles else ""
                    raise RuntimeError(
                        f"an update cannot be recorded as a CUDA graph, perhaps because the objective or the model "
                        f"reads numbers of tensors in Python: {error}; use --set {first}learner.record=false"
                    ) from error
        self.inputs.put(window)
        self.recorded()

    def _work_on_inputs(self) -> None:
        assert self.inputs is not None
        self._work(self.inputs.window)

    def _work(self, window: Window) -> None:
        """All that the device computes for an update.  window: on the device."""
        before = self.statistics.copies()
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bfloat16):
            loss = self.objective(self.model, self.target, window, self.generator)
        terms = {name: (term * window.weight).mean() for name, term in loss.terms.items()}
        self.optimizer.zero_grad(set_to_none=True)
        torch.stack(list(terms.values())).sum().backward()
        failpoint("learner.after_backward")
        self._share()
        norm = torch.nn.utils.clip_grad_norm_(self.parameters, self.clip or math.inf)
        finite = torch.isfinite(norm)
        # Where this flag is 1, fused optimisers change nothing, step counters included, and the host need not read it.
        self.optimizer.found_inf = (~finite).float()  # type: ignore[attr-defined]
        self.optimizer.step()
        self.statistics.take_back(before, finite)
        if self.average:
            self.acting_follower.move(self.share, finite)
        self.numbers, self.names = joined(terms, loss, norm, finite)
        self.terms = tuple(terms)

    def _share(self) -> None:
        """Average over all learners what they have computed from their shares of the batch.

        Batch norms have normalised over the share of their own learner; only their running means are averaged.
        """
        gradients = [parameter.grad for parameter in self.parameters if parameter.grad is not None]
        self.learners.average([*gradients, *(each for each in self.statistics.tensors if each.is_floating_point())])

    def count(self, finite: bool) -> None:
        """Count an update by its flag; to be called once for each, in their order."""
        self.skipped += not finite
        self.skipped_in_a_row = 0 if finite else self.skipped_in_a_row + 1

    def rate(self, progress: float) -> float:
        """The learning rate at this point of the run."""
        rise = min(1.0, (self.updates + 1) / (self.warmup + 1))
        falling = min(max(0.0, progress - self.hold) / max(1 - self.hold, 1e-9), 1.0)
        fall = self.final_rate + (1 - self.final_rate) * 0.5 * (1 + math.cos(math.pi * falling))
        return self.learning_rate * rise * fall

    def is_finite(self, observation: Tensor) -> bool:
        """Whether all weights, and the outputs for observations [B, *observation], are finite; only then publish.

        observation: on the learner's device, which is waited for once.
        """
        return bool(self._finite(observation))

    @torch.inference_mode()
    def _finite(self, observation: Tensor) -> Tensor:
        """Bool, scalar, on the device: what `is_finite` reads."""
        if failpoint("learner.poison_weights"):
            next(self.model.parameters()).data.fill_(math.nan)
        tensors = [each for each in self.model.state_dict().values() if each.is_floating_point() and each.numel()]
        largest = torch._foreach_norm(tensors, math.inf)  # type: ignore[attr-defined]  # NaN, if a number is
        model = self.acting.eval()
        latent = observe_first(model, observation)
        latent, transition = model.imagine(latent, no_action(model.space, len(observation), observation.device))
        prediction = model.predict(latent)
        numbers = [
            *largest,
            transition.reward.mean,
            transition.discount.mean,
            prediction.value.mean,
            prediction.policy.parameters,
        ]
        return torch.cat([number.flatten().float() for number in numbers]).isfinite().all()

    def weights(self) -> dict[str, Tensor]:
        """A copy of the weights that act, on the learner's device."""
        return copies(self.acting.state_dict())

    def state(self) -> tuple[dict[str, dict[str, Tensor]], dict[str, Any]]:
        """Tensors by file name, and plain values, from which `restore` makes the same learner."""
        tensors = {
            "model": dict(self.acting.state_dict()),
            "target": dict(self.target.state_dict()),
            "objective": dict(self.objective.state_dict()),
            "optimizer": optimizers.state(self.optimizer),
        }
        if self.average:
            tensors["learning"] = dict(self.model.state_dict())
        return tensors, {"updates": self.updates, "skipped": self.skipped}

    def check(self, slots: dict[str, Tensor]) -> None:
        """Check an optimiser's tensors, as `state` gives them, against the parameters.

        Raises:
            ValueError: naming the first that does not fit.
        """
        optimizers.check(self.optimizer, slots)

    def restore(self, tensors: dict[str, dict[str, Tensor]], values: dict[str, Any]) -> None:
        """Take over the `state` of another learner."""
        self.acting.load_state_dict(tensors["model"])
        self.model.load_state_dict(tensors.get("learning", tensors["model"]))
        self.target.load_state_dict(tensors["target"])
        self.objective.load_state_dict(tensors["objective"])
        optimizers.restore(self.optimizer, tensors["optimizer"])
        self.recorded.forget()  # it reads the tensors that the optimiser had before
        self.updates, self.skipped, self.skipped_in_a_row = int(values["updates"]), int(values["skipped"]), 0
