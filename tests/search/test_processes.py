"""Interpreters that end and processes that fork during a search; clocks that jump; replayed logs."""

import ast
import hashlib
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from killing import go, in_child, made

from muzero import search

LEAVES_WHILE_SEARCHING = """
import threading, numpy as np
from muzero import search
logits, value = np.zeros((512, 64), np.float32), np.zeros(512, np.float32)
begun = threading.Event()

def expand(*edges):
    begun.set()
    return value, value + 1, value, logits

def forever():
    while True:
        search.gumbel(logits, value, expand, 200, threads=2)

threading.Thread(target=forever, daemon=True).start()
begun.wait()
"""


@pytest.mark.parametrize("times", [3, pytest.param(20, marks=pytest.mark.slow)])
def test_an_interpreter_can_end_while_a_thread_searches(times):
    for _ in range(times):
        result = subprocess.run([sys.executable, "-c", LEAVES_WHILE_SEARCHING], capture_output=True, timeout=60)
        assert result.returncode == 0, result.stderr


def test_a_forked_process_can_search_while_another_thread_searched():
    logits, value = np.zeros((256, 16), np.float32), np.zeros(256, np.float32)
    begun, done = threading.Event(), threading.Event()

    def expand(*edges):
        begun.set()
        return value, value + 1, value, logits

    def until_done():
        while not done.is_set():
            search.puct(logits, value, expand, 50, threads=2)

    thread = threading.Thread(target=until_done)
    thread.start()
    begun.wait()
    try:
        for _ in range(5):
            assert in_child(lambda: search.puct(logits, value, expand, 50, threads=2)) == 0
    finally:
        done.set()
        thread.join()


def test_nothing_depends_on_the_clock_on_the_wall():
    """Rates, time limits and the order of checkpoints use a monotonic clock, or steps."""
    for path in (Path(__file__).parents[2] / "muzero").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "time":
                allowed = {"monotonic", "perf_counter", "process_time", "sleep"}  # sleep counts by the monotonic clock
                allowed |= {"localtime"} if path.parent.name == "cli" else set()
                allowed |= {"strftime", "struct_time"} if path.name == "folder.py" else set()  # of folders
                allowed |= {"strftime"} if path.name == "provenance.py" else set()  # notes for people
                allowed |= {"time"} if path.name == "metrics.py" else set()  # TensorBoard's events carry it
                assert node.attr in allowed, f"{path.name}, line {node.lineno}: time.{node.attr}"
            assert not (isinstance(node, ast.Name) and node.id == "datetime"), f"{path.name}, line {node.lineno}"


def test_the_same_stream_of_segments_gives_the_same_learner(tmp_path):
    """As a cluster promises across a resume: the log of a run teaches new learners the same."""
    assert in_child(lambda: go(tmp_path / "run", "gym/CartPole-v1")) == 0

    def learned(name):
        source = made(tmp_path / "run", "gym/CartPole-v1")
        training = made(tmp_path / name, "gym/CartPole-v1")
        for _, segment in source.experience.log.scan():
            training.experience.receive([segment])
            while training.replay.steps > 100 and training.learner.updates < training.replay.steps // 10:
                training.learning.updates.make(0.0)
        hashed = hashlib.sha256()
        for part in training.learner.state()[0].values():
            for key in sorted(part):
                hashed.update(key.encode() + part[key].numpy().tobytes())
        assert training.learner.updates > 40 and training.experience.counts()["segments/balance"] == 0
        training.close()
        source.close()
        return hashed.hexdigest()

    assert learned("one") == learned("other")
