"""Cases of `muzero-bench gpu` about updates: their rates, whether they agree, and their kernels."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from muzero import build
from muzero.benchmarks.gpu_bench import Bench, Case
from muzero.config import Config
from muzero.interfaces import Window
from muzero.learning.learner import Learner
from muzero.training.updates import Updates
from muzero.util.tensors import copy_into

EAGER = "float32, operation by operation"
VARIANTS = {
    EAGER: ("learner.record=false", "learner.compile=off", "learner.precision=float32"),
    "float32, recorded": ("learner.record=true", "learner.compile=off", "learner.precision=float32"),
    "bfloat16, recorded": ("learner.record=true", "learner.compile=off", "learner.precision=bfloat16"),
    "bfloat16, recorded, compiled": ("learner.record=true", "learner.compile=auto", "learner.precision=bfloat16"),
}
COMPARED = {"the same again": EAGER} | {name: name for name in list(VARIANTS)[1:3]}
COMPILED = ("learner.record=true", "learner.compile=auto", "learner.precision=float32")
PROGRESS = 0.5  # of the run
TOGETHER = 10  # updates after which weights are compared
PROFILED = 3  # updates whose kernels are listed
KERNELS = 25


def cases(bench: Bench) -> list[Case]:
    """Rates of updates with different settings of the learner, and whether they lead to the same weights."""
    rates = [Case("update", name, lambda name=name: rate(bench, name)) for name in VARIANTS]
    agree = [
        Case("agreement", name, lambda name=name, other=other: agreement(bench, name, VARIANTS[other]))
        for name, other in COMPARED.items()
    ]
    beside = [Case("update", "publishing", lambda: publishing(bench))]
    if bench.game == "atari/pong":
        beside += [Case("update", "moved frames", lambda: moving(bench))]
    # The one that is compiled takes longest to begin.
    return [*rates[:-1], *agree, *beside, rates[-1]]


def last_cases(bench: Bench) -> list[Case]:
    """What is worth least for its time: the kernels of the fastest update, and whether compiled ones agree."""
    return [
        Case("kernels", "of the fastest update", lambda: kernels(bench)),
        Case("agreement", "compiled", lambda: agreement(bench, "float32, recorded, compiled", COMPILED)),
    ]


def learner_of(bench: Bench, config: Config) -> Learner:
    """A learner with the first weights of seed 0."""
    model = bench.model(config)
    return build.learner(config, model, build.objective(config, bench.spec, model), bench.device, 0)


def rate(bench: Bench, name: str) -> None:
    """Updates per second with experience from the replay, and with a batch that is ready."""
    config = bench.config(*VARIANTS[name])
    replay = bench.replay(config)
    begin = time.perf_counter()
    learner = learner_of(bench, config)
    updates = Updates(learner, replay)
    updates.make(PROGRESS)
    bench.wait()
    bench.say(f"{name}: until the first is done", time.perf_counter() - begin, "s")
    bench.say(name, 1 / bench.steady(lambda: updates.make(PROGRESS), 4), "updates/s")
    size = learner.objective.window
    window = replay.sample(learner.batch, size)[1]
    bench.say(f"{name}: batch ready", 1 / bench.steady(lambda: learner.update(window, PROGRESS), 2), "updates/s")
    bench.say(f"{name}: launched by the host in", 1e3 * launching(bench, learner, window), "ms")
    bench.say(f"{name}: batch drawn in", 1e3 * bench.median(lambda: replay.sample(learner.batch, size), 0.5), "ms")
    if bench.on_gpu:
        bench.say(f"{name}: peak of device memory", torch.cuda.max_memory_allocated(bench.device) / 1e9, "GB")
    if learner.skipped:
        bench.say(f"{name}: updates without a finite gradient", learner.skipped, "")


def launching(bench: Bench, learner: Learner, window: Window) -> float:
    """Seconds in which the host launches an update while the device has nothing else to do: the median of some."""
    found = []
    for _ in range(3 if bench.tiny else 15):
        bench.wait()
        begin = time.perf_counter()
        learner.update(window, PROGRESS)
        found.append(time.perf_counter() - begin)
    bench.wait()
    return sorted(found)[len(found) // 2]


def publishing(bench: Bench) -> None:
    """What a round of a run costs beside its updates: weights are checked, copied, and taken over by another model."""
    config = bench.config(*VARIANTS[EAGER])
    learner, other, seen = learner_of(bench, config), bench.model(config).state_dict(), bench.observations(8)
    bench.say("weights checked in", 1e3 * bench.median(lambda: learner.is_finite(seen), 0.5), "ms")
    bench.say("weights published in", 1e3 * bench.median(lambda: copy_into(other, learner.weights()), 0.5), "ms")


def moving(bench: Bench) -> None:
    """A batch whose frames are moved and made brighter."""
    replay = bench.replay(bench.config("replay.shift=4", "replay.intensity=0.05"))
    config = bench.config(*VARIANTS[EAGER])
    size, batch = learner_of(bench, config).objective.window, config.table("learner")["batch"]
    bench.say("batch of moved frames drawn in", 1e3 * bench.median(lambda: replay.sample(batch, size), 0.5), "ms")


@contextmanager
def full_precision() -> Iterator[None]:
    """Products of float32 without TF32, whose mantissa has ten bits."""
    backends = (torch.backends.cudnn, torch.backends.cuda.matmul)
    before = [backend.allow_tf32 for backend in backends]
    for backend in backends:
        backend.allow_tf32 = False
    try:
        yield
    finally:
        for backend, allowed in zip(backends, before, strict=True):
            backend.allow_tf32 = allowed


def weights_after(bench: Bench, settings: tuple[str, ...], updates: int) -> torch.Tensor:
    """All weights of a model after some updates with the same batches."""
    config = bench.config(*settings)
    learner, replay = learner_of(bench, config), bench.replay(config)
    for _ in range(updates):
        learner.update(replay.sample(learner.batch, learner.objective.window)[1], PROGRESS)
    return torch.cat([weight.detach().double().flatten() for weight in learner.model.parameters()])


def agreement(bench: Bench, name: str, settings: tuple[str, ...]) -> None:
    """How far weights are from those of updates that are computed operation by operation."""
    with full_precision():
        start, wanted = (weights_after(bench, VARIANTS[EAGER], updates) for updates in (0, TOGETHER))
        difference = (weights_after(bench, settings, TOGETHER) - wanted).norm()
    bench.say(f"{name}: difference of weights / weights", difference / wanted.norm(), "")
    bench.say(f"{name}: difference of weights / their change", difference / (wanted - start).norm(), "")


def kernels(bench: Bench) -> None:
    """The kernels on which the fastest update spends its time, as a table beside the figures."""
    rates = {figure.name: figure.value for figure in bench.figures if figure.name in VARIANTS}
    name = max(rates, key=rates.__getitem__, default=EAGER)
    config = bench.config(*VARIANTS[name])
    learner, replay = learner_of(bench, config), bench.replay(config)
    window = replay.sample(learner.batch, learner.objective.window)[1]
    for _ in range(PROFILED):  # what is compiled and recorded first does not count
        learner.update(window, PROGRESS)
    bench.wait()
    kind = "CUDA" if bench.on_gpu else "CPU"
    with torch.profiler.profile(activities=[getattr(torch.profiler.ProfilerActivity, kind)]) as profile:
        for _ in range(PROFILED):
            learner.update(window, PROGRESS)
        bench.wait()
    events = profile.key_averages()
    table = events.table(sort_by=f"self_{kind.lower()}_time_total", row_limit=KERNELS, max_name_column_width=100)
    bench.file.with_name("kernels.txt").write_text(f"{PROFILED} updates, {name}\n{table}\n", encoding="utf-8")
    which = "self_device_time_total" if bench.on_gpu else "self_cpu_time_total"
    spent = sum(getattr(event, which) for event in events) / PROFILED
    bench.say(f"{name}: time in kernels of an update", spent / 1e3, "ms")
    bench.say(f"{name}: kernels of an update", sum(event.count for event in events) / PROFILED, "")
