"""A child process that plays: what happens when it dies, when its parent does, and how both end."""

import os
import select
import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest
import torch
from killing import TINY, go, in_child, made
from rich.console import Console

from muzero import build
from muzero.actors import child_process
from muzero.actors.local import LocalPool
from muzero.actors.tasks import Result
from muzero.config import parse_settings
from muzero.interfaces import EnvironmentFault
from muzero.training.progress import Progress
from muzero.util import failpoints
from muzero.util.messages import pack, unpack

LONG = 300.0  # seconds: no answer takes that long
GATED = "python/gated:Gated"
ON = "actors.overlap=on"


@contextmanager
def within_a_step(orders):
    """A step of the environment is under way in the `with` block."""
    os.mkfifo(orders / "gate")
    with open(orders / "gate", "wb"):  # waits until the environment opens the other end
        (orders / "gate").unlink()
        yield


def publish(pool, version=0):
    model = build.model(pool.place.config, pool.spec, 0)
    pool.publish({name: tensor.numpy().copy() for name, tensor in model.state_dict().items()}, version)


def results(pool, count):
    """Results, however often the child dies meanwhile."""
    found = []
    while len(found) < count:
        result = pool.next_result(LONG)
        if result is not None:
            found.append(result)
    return found


def incarnations(pool, found):
    return {pool.layout.unpack(record).id.incarnation for result in found for record in result.found.segments}


def kill(pool):
    kill_place(pool.place)


def kill_place(place):
    os.kill(place.process, signal.SIGKILL)


# --- a child that dies ---------------------------------------------------------------------------------------------


def test_a_child_that_dies_between_two_tasks_is_replaced(pool_of):
    pool = pool_of(True)
    publish(pool)
    results(pool, 3)
    pool.state()  # nothing is under way now
    kill(pool)
    found = results(pool, 8)
    assert incarnations(pool, found[1:]) == {1}
    (message,) = pool.messages()
    assert message.startswith("the process that plays was ended by SIGKILL") and "new ones begin" in message
    assert pool.counts() == {"actors/deaths": 1} and pool.messages() == []


def test_a_child_that_dies_while_it_plays_is_replaced(pool_of, orders):
    pool = pool_of(True)
    publish(pool)
    results(pool, 1)
    with within_a_step(orders):
        kill(pool)
    assert isinstance(results(pool, 1)[0], Result)
    assert pool.deaths == 1 and pool.incarnation == 1


def test_a_child_that_dies_before_it_gives_its_state_has_new_games(pool_of):
    pool, again = pool_of(True), pool_of(False)
    publish(pool)
    results(pool, 2)
    pool.state()
    kill(pool)
    arrays, values = pool.state()
    assert values["incarnation"] == 1 and len(values["pending"]) == 1
    assert again.restore(arrays, values, 0) and again.incarnation == 1


def test_a_child_that_dies_before_games_are_brought_back_leaves_new_ones(pool_of):
    pool, again = pool_of(False), pool_of(True)
    publish(pool)
    results(pool, 2)
    arrays, values = pool.state()
    kill(again)
    assert not again.restore(arrays, values, 5)
    publish(again)
    assert incarnations(again, results(again, 8)[1:]) == {5}


def test_an_environment_that_ends_its_process_ends_the_child_alone(pool_of, orders):
    pool = pool_of(True)
    publish(pool)
    results(pool, 1)
    with within_a_step(orders):
        (orders / "exit").touch()
    assert pool.next_result(LONG) is None or pool.next_result(LONG) is None
    (orders / "exit").unlink()
    assert "ended with exit code 3" in pool.messages()[0]


def test_a_child_that_keeps_dying_ends_the_run_with_a_message(pool_of, orders):
    pool = pool_of(True)
    publish(pool)
    results(pool, 1)
    (orders / "exit").touch()
    with pytest.raises(EnvironmentFault, match="exit code 3, 6 times in a row without a result"):
        results(pool, 5)
    with pytest.raises(EnvironmentFault):
        pool.next_result(LONG)
    _, values = pool.state()
    assert values["incarnation"] == 5 and "rng" not in values
    assert len(pool.messages()) == 5


def test_a_child_that_cannot_even_begin_is_an_error(pool_of, monkeypatch):
    monkeypatch.setattr(child_process, "serve", lambda *given: os._exit(9))
    with pytest.raises(EnvironmentFault, match="ended with exit code 9 before its first step"):
        pool_of(True)


def test_a_child_is_missed_also_where_what_it_started_holds_its_end_of_the_link(pool_of, monkeypatch):
    """A process that an environment forks has a copy, so that the link never closes."""
    reader, writer = os.pipe()

    def forking(link, *given):
        if os.fork() == 0:
            os.close(writer)
            os.read(reader, 1)  # until the test ends
            os._exit(0)
        serve(link, *given)

    serve = child_process.serve
    monkeypatch.setattr(child_process, "serve", forking)
    pool = pool_of(True)
    kill(pool)
    monkeypatch.setattr(child_process, "serve", serve)
    publish(pool)
    assert results(pool, 2) and pool.deaths == 1
    os.close(writer)
    os.close(reader)


def test_a_run_whose_child_is_killed_again_and_again_loses_only_games(tmp_path):
    def run():
        failpoints.ARMED, failpoints.reached = failpoints.armed("actor.after_play:kill:4"), {}
        training = made(tmp_path, "gym/CartPole-v1", ON)
        training.save(wait=True)
        with open(tmp_path / "shown", "w") as shown:
            training.run(Progress(tmp_path, Console(file=shown, width=200)))
        counts = training.status().counters
        assert counts["actors/deaths"] >= 3 and counts["segments/balance"] == counts["segments/duplicates"] == 0
        assert training.replay.steps >= 600 and training.learner.updates == training.learning.owed
        training.close()

    assert in_child(run) == 0
    assert "the process that plays was ended by SIGKILL" in (tmp_path / "shown").read_text()


def test_large_calls_and_large_answers_do_not_wait_for_each_other(pool_of, monkeypatch):
    """As where no file can hold weights: while a child sends an answer, it reads nothing."""

    def echoing(link, *given):
        link.send_bytes(pack("begun"))
        while True:
            link.send_bytes(pack(unpack(link.recv_bytes())[1]))

    def run():
        monkeypatch.setattr(child_process, "serve", echoing)
        place = child_process.ChildProcess(build.configure("gym/CartPole-v1", []))
        assert place.start(0) == "begun"
        sent = [bytes([number]) * 3_000_000 for number in range(4)] + [b"small"]
        for content in sent:
            place.send("echo", content)
        assert [place.receive(LONG) for _ in sent] == sent
        place.send("echo", b"again")
        kill_place(place)
        place.send("echo", sent[0])
        with pytest.raises(child_process.Died):
            while True:
                place.receive(LONG)

    assert in_child(run, kill_after=200) == 0


# --- a parent that ends --------------------------------------------------------------------------------------------

PARENT = """
import sys, torch
from muzero import build
from muzero.actors.local import LocalPool
from muzero.config import parse_settings
from killing import TINY

pool = LocalPool(build.configure("python/gated:Gated", [parse_settings(TINY)]), torch.device("cpu"), apart=True)
print(pool.place.process, flush=True)
pool.next_result(300.0)
END
"""
ENDS = {"waits": "sys.stdin.read()", "ends": "", "raises": "raise KeyError('the parent is on fire')"}


def begun(how):
    """A fresh process with a pool, and a file that is readable once the pool's child has ended."""
    process = subprocess.Popen(
        [sys.executable, "-c", PARENT.replace("END", ENDS[how])],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        text=True,
    )
    return process, os.pidfd_open(int(process.stdout.readline()))


def forked(end):
    """The same in a fork of this process, to be ended so that Python has no say in it; it does `end(pool)` at last."""
    reader, writer = os.pipe()
    parent = os.fork()
    if parent == 0:
        try:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.setitimer(signal.ITIMER_REAL, LONG)
            config = build.configure(GATED, [parse_settings(TINY)])
            pool = LocalPool(config, torch.device("cpu"), apart=True)
            os.write(writer, str(pool.place.process).encode())
            pool.next_result(LONG)
            end(pool)
        finally:
            os._exit(1)
    os.close(writer)
    with os.fdopen(reader, "rb", buffering=0) as file:
        return parent, os.pidfd_open(int(file.read(20)))


def waits(pool):
    signal.pause()


def plays(pool):
    pool._play()
    signal.pause()


def ended(watched):
    """Whether the process of a file ends."""
    found, _, _ = select.select([watched], [], [], LONG)
    os.close(watched)
    return bool(found)


@pytest.mark.parametrize(
    ("end", "number"),
    [(waits, signal.SIGKILL), (plays, signal.SIGKILL), (waits, signal.SIGTERM)],
)
def test_a_parent_that_is_killed_leaves_no_child(orders, end, number):
    parent, watched = forked(end)
    os.kill(parent, number)
    assert ended(watched)
    assert os.waitstatus_to_exitcode(os.waitpid(parent, 0)[1]) == -number


def test_a_parent_that_is_killed_leaves_no_child_that_hangs(orders):
    parent, watched = forked(waits)
    with within_a_step(orders):
        os.kill(parent, signal.SIGKILL)
        assert ended(watched)
    os.waitpid(parent, 0)


def test_a_parent_that_exits_at_once_leaves_no_child(orders):
    parent, watched = forked(lambda pool: os._exit(3))
    assert ended(watched)
    assert os.waitstatus_to_exitcode(os.waitpid(parent, 0)[1]) == 3


def test_a_parent_that_is_interrupted_leaves_no_child(orders):
    process, watched = begun("waits")
    process.send_signal(signal.SIGINT)
    assert ended(watched)
    process.communicate()


@pytest.mark.parametrize("how", ["ends", "raises"])
def test_a_parent_that_does_not_close_its_pool_leaves_no_child(orders, how):
    process, watched = begun(how)
    process.communicate()
    assert ended(watched)


# --- a pool that is closed -----------------------------------------------------------------------------------------


def test_a_pool_that_is_closed_leaves_no_child(pool_of, orders):
    first, second = pool_of(True), pool_of(True)
    publish(first)
    results(first, 1)  # and plays the next
    watched = [os.pidfd_open(pool.place.process) for pool in (first, second)]
    first.close()
    assert ended(watched[0])
    publish(second)
    results(second, 1)
    second.close()
    assert ended(watched[1])
    first.close()  # again


def test_a_child_that_hangs_is_killed_when_its_pool_is_closed(pool_of, orders, monkeypatch):
    monkeypatch.setattr(child_process, "GRACE", 0.0)
    pool = pool_of(True)
    publish(pool)
    results(pool, 1)
    with within_a_step(orders):
        watched = os.pidfd_open(pool.place.process)
        pool.close()
        assert ended(watched)


def test_environments_are_closed_with_their_pool(pool_of, tmp_path, monkeypatch):
    from gated import Gated

    monkeypatch.setattr(Gated, "close", lambda self: (tmp_path / "closed").touch())
    pool = pool_of(True)
    (tmp_path / "closed").unlink(missing_ok=True)  # that of the trial
    pool.close()
    assert (tmp_path / "closed").exists()


# --- whole runs ----------------------------------------------------------------------------------------------------


SHORT = "run.steps=300"
CASES = [[], [SHORT, "run.threads=2", "run.updates_per_step=0.02"], [SHORT, "run.evaluate_every=100"]]


@pytest.mark.parametrize("settings", CASES)
@pytest.mark.parametrize("game", ["board/tic_tac_toe", "gym/CartPole-v1"])
def test_a_run_learns_the_same_with_a_child_as_without(tmp_path, game, settings):
    digests = []
    for overlap in ("on", "off"):
        folder = tmp_path / overlap
        folder.mkdir()
        set_overlap = f"actors.overlap={overlap}"
        assert in_child(lambda folder=folder, how=set_overlap: go(folder, game, how, *settings)) == 0
        digests.append((folder / "digest").read_text())
    assert digests[0] == digests[1]
