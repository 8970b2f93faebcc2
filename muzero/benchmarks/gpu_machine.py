"""Cases of `muzero-bench gpu` that say what the machine can do: arithmetic, copies, launches, transfers."""

import os

import torch

from muzero.benchmarks.gpu_bench import Bench, Case

LAUNCHES = 1000  # in a recorded graph


def cases(bench: Bench) -> list[Case]:
    """What the device computes and copies, and what it costs to give it something to do."""
    found = [
        ("products in bfloat16", products),
        ("copies", copies),
        ("launches", launches),
        ("transfers", transfers),
    ]
    return [Case("machine", name, lambda measure=measure: measure(bench)) for name, measure in found]


def products(bench: Bench) -> None:
    """Matrix products in bfloat16."""
    bench.say("cores", len(os.sched_getaffinity(0)), "")
    side = 256 if bench.tiny else 8192
    left, right = (torch.randn(side, side, device=bench.device, dtype=torch.bfloat16) for _ in range(2))
    bench.say(f"products in bfloat16, {side}^3", 2 * side**3 / bench.median(lambda: left @ right) / 1e12, "TFLOP/s")


def copies(bench: Bench) -> None:
    """Copies within the memory of the device."""
    size = 1 << 20 if bench.tiny else 4 << 30
    source = torch.zeros(size, dtype=torch.uint8, device=bench.device)
    target = torch.zeros_like(source)
    rate = 2 * size / bench.median(lambda: target.copy_(source))
    bench.say("copies on the device, read and written", rate / 1e12, "TB/s")


def launches(bench: Bench) -> None:
    """A kernel that does nearly nothing, launched alone and in a recorded graph."""
    one = torch.zeros(1, device=bench.device)
    bench.say("launch of a small kernel", 1e6 * bench.steady(lambda: one.add_(1), 0.5), "us")
    if bench.on_gpu:
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            for _ in range(LAUNCHES):
                one.add_(1)
        bench.say("the same in a recorded graph", 1e6 * bench.steady(graph.replay, 0.5) / LAUNCHES, "us")


def transfers(bench: Bench) -> None:
    """Transfers to the device: of a batch of observations, and of one number."""
    if not bench.on_gpu:
        return
    for size, count in (("25 MB", 25_165_824), ("4 bytes", 4)):
        for pinned in (True, False):
            source = torch.zeros(count, dtype=torch.uint8, pin_memory=pinned)
            seconds = bench.median(lambda source=source: source.to(bench.device, non_blocking=True), 0.5)
            kind = "pinned" if pinned else "pageable"
            bench.say(f"transfer of {size}, {kind}", 1e6 * seconds, "us")
            if count > 4:
                bench.say(f"rate of transfers, {kind}", count / seconds / 1e9, "GB/s")
