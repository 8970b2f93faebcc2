"""A search, other threads of Python and processes that fork: it reads its own copy and has one user at a time."""

import os
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest

from muzero import _tree, search
from muzero.search.checks import check_array

BATCH, ACTIONS, SIMULATIONS = 2048, 64, 20  # large enough that the lock of Python is released during a search


@pytest.mark.parametrize("name", ["reward", "discount", "value", "prior_logits"])
@pytest.mark.parametrize("function", [search.puct, search.gumbel])
def test_a_thread_that_writes_into_an_evaluation_cannot_spoil_a_result(function, name):
    """The copy that is checked is the copy that is searched: NaN is an error, or comes too late to matter."""
    rng, stop = np.random.default_rng(0), threading.Event()
    good = {
        "reward": rng.random(BATCH).astype(np.float32),
        "discount": np.full(BATCH, 0.99, np.float32),
        "value": rng.random(BATCH).astype(np.float32),
        "prior_logits": rng.random((BATCH, ACTIONS)).astype(np.float32),
    }
    shared = {key: array.copy() for key, array in good.items()}

    def expand(*edges):
        shared[name][...] = good[name]
        return tuple(shared.values())

    def disturb():
        while not stop.is_set():
            shared[name].fill(np.nan)

    thread = threading.Thread(target=disturb)
    thread.start()
    try:
        for _ in range(5):
            try:
                result = function(np.zeros((BATCH, ACTIONS), np.float32), good["value"], expand, SIMULATIONS)
            except ValueError as error:
                assert str(error).startswith(f"expand: {name}[")
                continue
            for array in (result.policy, result.value, result.q, result.tree.value):
                assert np.isfinite(array).all()
    finally:
        stop.set()
        thread.join()


def test_roots_that_change_after_the_start_change_nothing():
    rng = np.random.default_rng(0)
    logits, noise = rng.normal(size=(2, 8, 5)).astype(np.float32)
    value, legal = rng.normal(size=8).astype(np.float32), np.ones((8, 5), bool)
    evaluation = value, np.ones_like(value), value, logits.copy()

    def searched(spoil):
        roots = [array.copy() for array in (logits, value, legal, noise)]
        trees = _tree.gumbel(roots[0], roots[1], 10, *roots[2:], 4, 0.1, 50.0, True, 1e-8, None)
        for root in roots * spoil:
            root.fill(0)
        for _ in range(10):
            trees.select()
            trees.backup(evaluation)
        return [array.tobytes() for array in trees.result()]

    assert searched(spoil=True) == searched(spoil=False)


def test_arguments_that_python_checks_are_copied_first():
    array = np.zeros((2, 3), np.float32)
    assert not np.shares_memory(check_array(array, "array", "f", "float32"), array)


def search_while_disturbed(batch=32, actions=4096, simulations=20):
    """Search in this thread while another calls the same search.  Returns the errors of both."""
    rows, table = np.zeros(batch, np.float32), np.zeros((batch, actions), np.float32)
    trees = _tree.puct(table, rows, simulations, None, 1.25, 19652.0, "siblings", None)
    stop, errors = threading.Event(), set()

    def persist(call):
        while not stop.is_set():
            try:
                return call()
            except RuntimeError as error:
                errors.add(str(error))

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
    return errors


def test_a_second_thread_is_refused_and_the_first_is_not_disturbed():
    for _ in range(50):  # threads meet by chance
        errors = search_while_disturbed()
        if errors:
            break
    assert errors == {"this search is in use by another thread"}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_process_forked_inside_expand_finishes_its_search_alike():
    """The threads of the search do not exist in the child, which does their work itself."""
    logits, value = np.zeros((256, 16), np.float32), np.zeros(256, np.float32)
    parent, child, calls = os.getpid(), 0, 0

    def expand(*edges):
        nonlocal calls, child
        calls += 1
        if calls == 5:
            child = os.fork()
            if child == 0:
                signal.signal(signal.SIGALRM, signal.SIG_DFL)
                signal.alarm(60)  # ends a child that waits for threads
        return value, value + 1, value, logits

    try:
        found = search.puct(logits, value, expand, 30, threads=3)
        expected = search.puct(logits, value, lambda *edges: (value, value + 1, value, logits), 30)
        same = found.visits.tobytes() == expected.visits.tobytes() and found.q.tobytes() == expected.q.tobytes()
    finally:
        if os.getpid() != parent:
            os._exit(0 if same else 1)
    assert same and os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_forked_process_can_release_a_search_with_threads(tmp_path):
    code = """
import os
import numpy as np
from muzero import _tree
trees = _tree.puct(np.zeros((8, 4), np.float32), np.zeros(8, np.float32), 9, None, 1.25, 19652.0, "tree", None, 4)
trees.select()
child = os.fork()
if child == 0:
    del trees
    os._exit(7)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    result = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert result.stdout.strip() == "7", result.stderr
