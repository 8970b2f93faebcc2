"""What a GPU replays: made once, dropped when its tensors are replaced, and never replayed where recording failed."""

import threading

import pytest
import torch
from devices import on_all_devices

from muzero.util.recorded import WARM_UP, Recorded

CUDA = torch.device("cuda")


class Doubling:
    """Writes twice the numbers of one tensor into another, and counts its calls."""

    def __init__(self, device):
        self.given, self.found, self.calls = torch.zeros(3, device=device), torch.zeros(3, device=device), 0

    def __call__(self):
        self.calls += 1
        torch.mul(self.given, 2, out=self.found)


@on_all_devices
def test_it_computes_from_what_its_tensors_hold_now(device):
    function = Doubling(device)
    recorded = Recorded(function, device)
    recorded()
    assert function.calls == 1 and not recorded.prepared  # a function that was not recorded is called
    recorded.prepare()
    assert recorded.prepared and function.calls == (1 + WARM_UP + 1 if device.type == "cuda" else 1)
    before = function.calls
    for number in (1.0, 3.0):
        function.given.fill_(number)
        recorded()
        assert function.found.tolist() == [2 * number] * 3
    assert function.calls == (before if device.type == "cuda" else before + 2)
    recorded.forget()
    assert not recorded.prepared and recorded.graph is None
    function.given = torch.full_like(function.given, 5.0)
    recorded()
    assert function.found.tolist() == [10.0] * 3


def test_a_recording_that_failed_is_not_replayed(monkeypatch):
    def fail(recorded, generators):
        raise RuntimeError("operation not permitted")

    monkeypatch.setattr(Recorded, "_record", fail)
    function = Doubling(torch.device("cpu"))
    recorded = Recorded(function, CUDA)
    with pytest.raises(RuntimeError, match="not permitted"):
        recorded.prepare()
    assert not recorded.prepared and recorded.graph is None
    function.given.fill_(4.0)
    recorded()
    assert function.found.tolist() == [8.0] * 3


@pytest.mark.gpu
def test_another_thread_may_allocate_and_pin_memory_during_a_recording():
    stop, begun = threading.Event(), threading.Event()

    def allocate():
        stream = torch.cuda.Stream()
        with torch.cuda.stream(stream):
            size = 1
            while not stop.is_set():
                torch.zeros(size * 1_003 % 40_037 + 1, pin_memory=True).to(CUDA, non_blocking=True)
                size += 1
                begun.set()

    thread = threading.Thread(target=allocate)
    thread.start()
    try:
        assert begun.wait(60)
        for _ in range(10):
            function = Doubling(CUDA)
            recorded = Recorded(function, CUDA)
            recorded.prepare()
            function.given.fill_(3.0)
            recorded()
            assert function.found.tolist() == [6.0] * 3
    finally:
        stop.set()
        thread.join()
