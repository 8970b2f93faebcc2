"""A search keeps its order, its one user and its memory, whatever is done to it."""

import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import reference_search as reference
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from muzero import _tree, search

B, A = 3, 5


def roots():
    return np.zeros((B, A), np.float32), np.zeros(B, np.float32)


def evaluation():
    return np.zeros(B, np.float32), np.ones(B, np.float32), np.zeros(B, np.float32), np.zeros((B, A), np.float32)


def make(simulations=3):
    return _tree.puct(*roots(), simulations, None, 1.25, 19652.0, "siblings", None)


def test_a_refused_evaluation_leaves_the_search_as_it_was():
    table = reference.Table.random(np.random.default_rng(0), B, A)
    want = search.puct(*table.root, table.expand, 10)
    table = reference.Table.random(np.random.default_rng(0), B, A)
    trees = _tree.puct(*table.root, 10, None, 1.25, 19652.0, "siblings", None)
    edges = trees.select()
    for simulation in range(10):
        good = table.expand(*edges)
        bad = (*good[:3], np.full((B, A), np.nan, np.float32))
        with pytest.raises(ValueError, match=r"expand: prior_logits\[0\] holds nan"):
            trees.backup(bad)
        edges = trees.step(good) if simulation < 9 else trees.backup(good)
    assert trees.result()[3].tobytes() == want.visits.tobytes()


class CallsInAnyOrder(RuleBasedStateMachine):
    """A search keeps the order of its calls and stays whole whatever is called."""

    @initialize()
    def begin(self):
        self.search, self.selected, self.done = make(3), False, 0

    @rule()
    def select(self):
        if self.selected or self.done == 3:
            with pytest.raises(RuntimeError, match="select: "):
                self.search.select()
        else:
            assert [len(array) for array in self.search.select()] == [B] * 3
            self.selected = True

    @rule()
    def backup(self):
        if not self.selected:
            with pytest.raises(RuntimeError, match="backup: nothing has been selected"):
                self.search.backup(evaluation())
        else:
            self.search.backup(evaluation())
            self.selected, self.done = False, self.done + 1

    @rule()
    def step(self):
        if not self.selected:
            with pytest.raises(RuntimeError, match="step: nothing has been selected"):
                self.search.step(evaluation())
        elif self.done == 2:
            with pytest.raises(RuntimeError, match="select: all 3 simulations are used"):
                self.search.step(evaluation())
        else:
            self.search.step(evaluation())
            self.done += 1

    @rule()
    def result(self):
        if self.selected or self.done == 0:
            with pytest.raises(RuntimeError, match="result: "):
                self.search.result()
        else:
            assert self.search.result()[3].sum() == B * self.done

    @precondition(lambda self: hasattr(self, "search"))
    @rule()
    def read(self):
        assert (self.search.visits() > 0).sum() == B * (self.done + 1)
        assert (self.search.children() >= 0).sum() == B * self.done


TestCallsInAnyOrder = CallsInAnyOrder.TestCase
TestCallsInAnyOrder.settings = settings(max_examples=50, stateful_step_count=15, deadline=None)


def search_while_disturbed(batch=32, actions=4096, simulations=20):
    """Search in this thread while another calls the same search; what either was told."""
    rows, table = np.zeros(batch, np.float32), np.zeros((batch, actions), np.float32)
    trees = _tree.puct(table, rows, simulations, None, 1.25, 19652.0, "siblings", None)
    stop, told = threading.Event(), set()

    def persist(call):
        while not stop.is_set():
            try:
                return call()
            except RuntimeError as error:
                told.add(str(error))

    def disturb():
        while not stop.is_set():
            persist(trees.visits)

    thread = threading.Thread(target=disturb)
    thread.start()
    for _ in range(simulations):
        persist(trees.select)
        persist(lambda: trees.backup((rows, rows, rows, table)))
    stop.set()
    thread.join()
    assert trees.result()[3].sum() == batch * simulations
    return told


def test_a_second_thread_is_refused_and_the_first_is_not_disturbed():
    for _ in range(50):  # threads meet by chance
        told = search_while_disturbed()
        if told:
            break
    assert told == {"this search is in use by another thread"}


WITHOUT_MEMORY = """
import resource
import numpy as np
from muzero import search
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 200_000_000, resource.RLIM_INFINITY))
logits, rows = np.zeros((8, 1000), np.float32), np.zeros(8, np.float32)
answer = (rows, rows, rows, logits)
try:
    search.puct(logits, rows, lambda *edges: answer, 20_000)
except MemoryError:
    print("refused")
print(search.puct(logits, rows, lambda *edges: answer, 20).visits.sum())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits and measures memory as Linux does")
def test_a_search_that_gets_no_memory_says_so_and_the_process_goes_on(tmp_path):
    done = subprocess.run([sys.executable, "-c", WITHOUT_MEMORY], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.split() == ["refused", "160"], done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="limits and measures memory as Linux does")
def test_memory_stays_flat_over_many_searches():
    def used():
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

    def work(rounds):
        for _ in range(rounds):
            assert search.gumbel(*roots(), lambda *edges: evaluation(), 5).tree.visits.shape == (B, 6)
            with pytest.raises(ValueError, match="expand: reward"):
                search.puct(*roots(), lambda *edges: (roots()[1][:1], *evaluation()[1:]), 5)

    work(300)
    before = used()
    work(3000)
    assert used() - before < 2_000_000
