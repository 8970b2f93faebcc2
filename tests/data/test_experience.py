"""Where segments are between actors and the replay: none is lost unnoticed, none counts twice."""

import queue
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from segments import LINE, changed, some

from muzero.data import segment_log
from muzero.data.experience import Experience
from muzero.data.replay import Replay
from muzero.data.segment_log import SegmentLog

SEGMENTS = some(LINE, 12)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root, count = tmp_path_factory.mktemp("logs"), iter(range(10**6))
    return lambda: root / str(next(count))


def door(folder):
    return Experience(Replay(LINE, 0, capacity=1000), SegmentLog(folder, LINE))


def content(replay):
    return {name: array[: len(replay)].tobytes() for name, array in replay.rows.items()}


def test_a_segment_that_comes_again_is_ignored_and_counted(tmp_path):
    experience = door(tmp_path)
    experience.receive(SEGMENTS[:3])
    before = content(experience.replay)
    experience.receive([SEGMENTS[1], SEGMENTS[0], SEGMENTS[0]])
    assert content(experience.replay) == before and len(list(experience.log.scan())) == 3
    counts = experience.counts()
    assert (counts["segments/acknowledged"], counts["segments/duplicates"], counts["segments/balance"]) == (3, 3, 0)
    experience.close()


def test_what_cannot_be_stored_is_not_logged(tmp_path):
    experience = Experience(Replay(LINE, 0, capacity=100), SegmentLog(tmp_path, LINE))
    long = changed(SEGMENTS[0], **{name: np.repeat(array, 30, 0) for name, array in SEGMENTS[0].columns.items()})
    bad = changed(SEGMENTS[1], value=SEGMENTS[1].columns["value"] * np.nan)
    for segment, message in ((long, "does not fit a replay of 100"), (bad, "not finite")):
        with pytest.raises(ValueError, match=message):
            experience.receive([segment])
    assert experience.empty and experience.counts()["segments/balance"] == 0
    experience.close()


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 11), st.sampled_from(["works", "full", "works again"])), max_size=40))
def test_the_ledger_balances_whatever_happens(folders, happenings):
    """Segments come in any order, some twice, some never, while the disk is full now and then."""
    experience = door(folders())
    append, full = experience.log.append, False

    def perhaps(segment, record=None):
        if full:
            raise OSError(28, "No space left on device")
        return append(segment, record)

    experience.log.append = perhaps
    for number, state in happenings:
        full = state == "full"
        experience.receive([SEGMENTS[number]])
        counts = experience.counts()
        assert counts["segments/balance"] == 0
        assert counts["segments/in_flight"] == len(experience.waiting)
        assert counts["segments/acknowledged"] == len(list(experience.log.scan()))
    full = False
    assert experience.write() and experience.error is None
    ids = {SEGMENTS[number].id for number, _ in happenings}
    assert {segment.id for _, segment in experience.log.scan()} == ids
    counts = experience.counts()
    assert counts["segments/acknowledged"] == len(ids) and counts["segments/in_flight"] == 0
    assert counts["segments/duplicates"] == len(happenings) - len(ids)
    experience.close()


@settings(max_examples=50, deadline=None)
@given(st.permutations(range(12)), st.integers(0, 2**32 - 1))
def test_the_same_segments_in_order_with_repeats_make_the_same_replay(folders, order, seed):
    rng = np.random.default_rng(seed)
    once, often = door(folders()), door(folders())
    once.receive(SEGMENTS[number] for number in order)
    for place, number in enumerate(order):
        often.receive([SEGMENTS[number]])
        often.receive(SEGMENTS[order[int(rng.integers(place + 1))]] for _ in range(3))
    assert content(once.replay) == content(often.replay)
    once.close()
    often.close()


def test_what_goes_wrong_with_the_log_is_counted_and_reported(tmp_path, monkeypatch):
    experience = door(tmp_path)
    experience.receive(SEGMENTS[:5])
    assert experience.messages() == []
    experience.close()
    file = tmp_path / "00000001.log"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content + b"half a record")
    again = door(tmp_path)
    list(again.log.scan())
    counts = again.counts()
    assert (counts["log/damaged_records"], counts["log/torn_bytes"], counts["log/sync_failures"]) == (1, 13, 0)
    assert "record of 13 bytes" in again.messages()[0] and "damaged in 1 places" in again.messages()[1]
    again.close()


def test_a_log_that_cannot_be_flushed_is_reported_until_it_can(tmp_path, monkeypatch):
    works, calls = threading.Event(), queue.SimpleQueue()

    def sync(path):
        calls.put(works.is_set())
        if not works.is_set():
            raise OSError(5, "Input/output error")

    monkeypatch.setattr(segment_log, "sync", sync)
    monkeypatch.setattr(segment_log, "SYNC_EVERY", 0.0)
    experience = door(tmp_path)
    for _ in range(2):  # the second attempt follows the account of the first
        calls.get(timeout=60)
    (message,) = experience.messages()
    assert "cannot be flushed to the disk" in message and "Input/output error" in message
    works.set()
    while not calls.get(timeout=60):
        pass
    experience.close()
    experience.log.flusher.join(timeout=60)  # what it found out is noted
    assert experience.messages() == [] and experience.counts()["log/sync_failures"] >= 1
