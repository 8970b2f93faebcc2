"""A search keeps its order and its memory under wrong calls, interrupts and lack of memory."""

import resource
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import reference_search as reference
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from muzero import _tree, search

B, A = 3, 5


def roots():
    return np.zeros((B, A), np.float32), np.zeros(B, np.float32)


def evaluation():
    return np.zeros(B, np.float32), np.ones(B, np.float32), np.zeros(B, np.float32), np.zeros((B, A), np.float32)


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


@pytest.mark.parametrize("kind", [_tree.Search, _tree.Search.__mro__[1]])
def test_only_the_functions_of_the_module_make_a_search(kind):
    """Also by way of the base class: no method reads memory that was not initialised."""
    for call in ("select", "result", "parent", "children"):
        with pytest.raises(TypeError, match="Search: made by puct, stochastic or gumbel only"):
            getattr(kind.__new__(_tree.Search), call)()
    with pytest.raises(TypeError, match="not an acceptable base type"):
        type("Other", (_tree.Search,), {})


def wrong_evaluations(good):
    """Evaluations that a search must refuse; each differs from a good one in one thing."""
    reward, discount, value, logits = good
    return [
        (reward, discount, value),
        [*good],
        (reward[:2], discount, value, logits),
        (reward, np.full_like(discount, -1.5), value, logits),
        (reward, discount, value.astype(np.float64), logits),
        (reward, discount, np.full_like(value, np.inf), logits),
        (reward, discount, value, logits[:, ::-1]),
        (reward, discount, value, np.full_like(logits, -np.inf)),
        (reward, discount, value, np.full_like(logits, np.nan)),
    ]


@pytest.mark.parametrize("name", ["simulations", "max_depth", "c_init", "normalize"])
def test_memory_that_goes_while_a_number_is_read_is_not_searched(name):
    """Reading a number can run Python, and Python can free an array's memory."""
    logits = np.zeros((64, 40_000), np.float32)

    class Number:
        def __index__(self):
            logits.resize((1, 1), refcheck=False)
            return 4

        __float__ = __index__

    number = (0.0, Number()) if name == "normalize" else Number()
    with pytest.raises((ValueError, TypeError)):
        search.puct(logits, np.zeros(64, np.float32), lambda *edges: evaluation(), **{"simulations": 4, name: number})


class CallsInAnyOrder(RuleBasedStateMachine):
    """Refused calls change nothing: a search reads and ends like one that was called in order."""

    SIMULATIONS = 6
    READERS = ("parent", "action", "visits", "value", "raw_value", "reward", "discount", "prior_logits", "children")

    @initialize(gumbel=st.booleans(), seed=st.integers(0, 2**32 - 1))
    def begin(self, gumbel, seed):
        self.gumbel, self.seed = gumbel, seed
        self.search, self.selected, self.done = self.make(), None, 0

    def make(self):
        logits, value = self.answer(0)[3], self.answer(0)[2]
        if self.gumbel:
            return _tree.gumbel(logits, value, self.SIMULATIONS, None, logits, 4, 0.1, 50.0, True, 1e-8, 3)
        return _tree.puct(logits, value, self.SIMULATIONS, None, 1.25, 19652.0, "tree", 3)

    def answer(self, simulation):
        """What the model says in a simulation, for any edges."""
        rng = np.random.default_rng([self.seed, simulation])
        reward, value = rng.normal(size=(2, B)).astype(np.float32)
        return reward, rng.choice([-1, 0, 1], B).astype(np.float32), value, rng.normal(size=(B, A)).astype(np.float32)

    def in_order(self):
        """A second search, called in order up to the state of this one, and its last selection."""
        other, edges = self.make(), None
        for simulation in range(self.done):
            other.select()
            other.backup(self.answer(simulation + 1))
        if self.selected is not None:
            edges = other.select()
        return other, edges

    def accept(self, edges):
        self.selected = edges
        if edges is not None:
            assert [each.tobytes() for each in edges] == [each.tobytes() for each in self.in_order()[1]]

    @rule()
    def select(self):
        if self.selected is not None:
            with pytest.raises(RuntimeError, match="select: the last selection has not been backed up"):
                self.search.select()
        elif self.done == self.SIMULATIONS:
            with pytest.raises(RuntimeError, match="select: all 6 simulations are used"):
                self.search.select()
        else:
            self.accept(self.search.select())

    @rule()
    def backup(self):
        if self.selected is None:
            with pytest.raises(RuntimeError, match="backup: nothing has been selected"):
                self.search.backup(self.answer(1))
        else:
            self.search.backup(self.answer(self.done + 1))
            self.selected, self.done = None, self.done + 1

    @rule()
    def step(self):
        if self.selected is None:
            with pytest.raises(RuntimeError, match="step: nothing has been selected"):
                self.search.step(self.answer(1))
        elif self.done == self.SIMULATIONS - 1:
            with pytest.raises(RuntimeError, match="select: all 6 simulations are used"):
                self.search.step(self.answer(self.done + 1))
        else:
            edges = self.search.step(self.answer(self.done + 1))
            self.done, self.selected = self.done + 1, edges
            self.accept(edges)

    @rule(kind=st.integers(0, 8), call=st.sampled_from(["backup", "step"]))
    def offer_what_is_wrong(self, kind, call):
        wrong = wrong_evaluations(self.answer(self.done + 1))[kind]
        expected = f"{call}: nothing has been selected" if self.selected is None else "expand: "
        with pytest.raises((RuntimeError, TypeError, ValueError), match=expected):
            getattr(self.search, call)(wrong)

    @rule()
    def result(self):
        if self.selected is not None or self.done == 0:
            with pytest.raises(RuntimeError, match=r"result: (the last selection has not|nothing has been searched)"):
                self.search.result()
        else:
            want = self.in_order()[0].result()
            assert [each.tobytes() for each in self.search.result()] == [each.tobytes() for each in want]

    @rule(name=st.sampled_from(READERS))
    def read(self, name):
        assert getattr(self.search, name)().tobytes() == getattr(self.in_order()[0], name)().tobytes()

    def teardown(self):
        if not hasattr(self, "search"):
            return
        while self.done < self.SIMULATIONS:
            if self.selected is None:
                self.select()
            self.backup()
        self.result()
        for name in self.READERS:
            self.read(name)


TestCallsInAnyOrder = CallsInAnyOrder.TestCase
TestCallsInAnyOrder.settings = settings(max_examples=50, stateful_step_count=20, deadline=None)


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
def test_a_search_without_memory_raises_and_the_process_continues(tmp_path):
    done = subprocess.run([sys.executable, "-c", WITHOUT_MEMORY], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.split() == ["refused", "160"], done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="limits and measures memory as Linux does")
@pytest.mark.parametrize("searches", [3000, pytest.param(50_000, marks=pytest.mark.slow)])
def test_memory_stays_flat_over_many_searches(searches):
    def used():
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()

    def work(rounds):
        for _ in range(rounds):
            assert search.gumbel(*roots(), lambda *edges: evaluation(), 5).tree.visits.shape == (B, 6)
            with pytest.raises(ValueError, match="expand: reward"):
                search.puct(*roots(), lambda *edges: (roots()[1][:1], *evaluation()[1:]), 5)

    work(300)
    before = used()
    work(searches // 2)
    assert used() - before < 2_000_000


def test_an_interrupt_is_answered_within_one_simulation():
    """Sent by another thread at any moment, most likely while the search is in C++, where no Python runs."""
    done, started = 0, threading.Event()
    rows, table = np.zeros(64, np.float32), np.zeros((64, 4096), np.float32)

    def expand(parent, action, node):
        nonlocal done
        done += 1
        if done == 5:
            started.set()
        return rows, rows, rows, table

    def interrupt():
        nonlocal sent
        started.wait()
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
        sent = done

    sent = 0
    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        search.puct(table, rows, expand, 900)
    thread.join()
    assert sent <= done <= sent + 1
