"""The log of segments: what was appended is there, and nothing else, whatever happens to the files."""

import os
import signal
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from segments import BOARD, IMAGE, LINE, SPECS, some

from muzero.data import segment_log
from muzero.data.segment_format import HEAD, MARK, Layout, frame
from muzero.data.segment_log import LogError, Position, SegmentLog


def same(one, other):
    pairs = zip(one.columns.values(), other.columns.values(), strict=True)
    return (
        (one.id, one.version, one.tail, list(one.columns)) == (other.id, other.version, other.tail, list(other.columns))
    ) and all(np.array_equal(mine, theirs) and mine.dtype == theirs.dtype for mine, theirs in pairs)


def found_in(log, start=None):
    return [segment for _, segment in log.scan(start)]


def assert_same(found, wanted):
    assert len(found) == len(wanted)
    assert all(same(one, other) for one, other in zip(found, wanted, strict=True))


def filled(folder, spec, segments, **options):
    log = SegmentLog(folder, spec, **options)
    positions = [log.position]
    positions += [log.append(each) for each in segments]
    return log, positions


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_what_was_appended_is_found_after_the_log_is_opened_again(tmp_path, spec):
    wanted = some(spec, 20)
    log, _ = filled(tmp_path, spec, wanted[:12])
    assert_same(found_in(log), wanted[:12])
    log.close()
    log.close()
    again, _ = filled(tmp_path, spec, wanted[12:])
    assert_same(found_in(again), wanted)
    assert (again.damaged, again.torn) == (0, 0)
    again.close()


def test_positions_are_where_records_begin(tmp_path):
    wanted = some(LINE, 30)
    log, positions = filled(tmp_path, LINE, wanted, file_bytes=1000)
    assert len(log.files()) > 3
    places = [place for place, _ in log.scan()]
    for number, (place, begin) in enumerate(zip(places, positions[:-1], strict=True)):
        assert place == begin or place.file == begin.file + 1  # the file was full
        assert_same(found_in(log, place), wanted[number:])
        assert_same(found_in(log, begin), wanted[number:])
        assert log.holds(place)
    assert log.position == positions[-1] and found_in(log, log.position) == []
    log.close()


@pytest.mark.parametrize("keep", [0, 7, 29, 30])
def test_rewinding_forgets_what_follows(tmp_path, keep):
    wanted = some(LINE, 30)
    log, positions = filled(tmp_path, LINE, wanted, file_bytes=1000)
    log.rewind(positions[keep])
    assert_same(found_in(log), wanted[:keep])
    log.append(wanted[29])
    log.close()
    again = SegmentLog(tmp_path, LINE, file_bytes=1000)
    assert_same(found_in(again), [*wanted[:keep], wanted[29]])
    for nowhere in (Position(1, positions[0].offset + 1), Position(99, 0), Position(1, 10**9), Position(1, -1)):
        with pytest.raises(LogError, match="does not lie between two records"):
            again.rewind(nowhere)
    again.close()


def test_old_files_are_dropped(tmp_path):
    log, positions = filled(tmp_path, LINE, some(LINE, 30), file_bytes=1000)
    log.drop_before(positions[20].file)
    assert log.files()[0] == positions[20].file and not log.holds(positions[0])
    log.drop_before(10**6)
    assert log.files() == [log.number]
    log.close()


@pytest.mark.parametrize("other", [BOARD, IMAGE], ids=lambda spec: spec.name)
def test_a_log_of_another_game_is_refused_naming_both(tmp_path, other):
    filled(tmp_path, LINE, some(LINE, 3))[0].close()
    with pytest.raises(LogError, match=rf"is a log of .*CartPole.*, expected .*{other.name}"):
        SegmentLog(tmp_path, other)


def test_links_are_refused(tmp_path):
    filled(tmp_path / "log", LINE, some(LINE, 3))[0].close()
    (tmp_path / "log" / "00000001.log").rename(tmp_path / "elsewhere")
    (tmp_path / "log" / "00000001.log").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(LogError, match="symbolic link"):
        SegmentLog(tmp_path / "log", LINE)


# --- damage --------------------------------------------------------------------------------------------------------


def mutated(rng, files):
    """Something done to the files of a log, given as their bytes."""
    name = sorted(files)[int(rng.integers(len(files)))]
    data = bytearray(files[name])
    at, length = int(rng.integers(len(data))), int(rng.integers(1, 200))
    kind = int(rng.integers(7))
    if kind == 0:
        data[at] ^= 1 << int(rng.integers(8))
    elif kind == 1:
        del data[at:]
    elif kind == 2:
        data[at : at + length] = bytes(len(data[at : at + length]))
    elif kind == 3:
        data[at:at] = rng.bytes(length)
    elif kind == 4:
        data += data[at : at + length] + MARK * int(rng.integers(4))
    elif kind == 5:
        data[at:at] = data[: int(rng.integers(len(data)))]
    else:
        del data[at : at + length]
    return {**files, name: bytes(data)}


@pytest.mark.parametrize("count", [200, pytest.param(1000, marks=pytest.mark.slow)])
def test_no_mutated_log_yields_what_was_not_written(tmp_path, count):
    rng = np.random.default_rng(count)
    wanted = some(LINE, 12)
    filled(tmp_path, LINE, wanted, file_bytes=1500)[0].close()
    files = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert len(files) > 2
    lost = 0
    for _ in range(count):
        for path in tmp_path.iterdir():
            path.unlink()
        for name, content in mutated(rng, files).items():
            (tmp_path / name).write_bytes(content)
        log = SegmentLog(tmp_path, LINE, file_bytes=1500)
        found = found_in(log)
        assert all(any(same(one, other) for other in wanted) for one in found)
        kept = sum(any(same(one, other) for one in found) for other in wanted)
        # A cut between two records of a file that is not the last leaves no trace; replays notice by the rows missing.
        lost += len(wanted) - kept
        assert kept >= len(wanted) - 6
        log.append(wanted[0])
        assert same(found_in(log)[-1], wanted[0])
        log.close()
    assert lost > 0


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300), st.booleans())
def test_no_payload_makes_reading_fail_with_anything_but_damage(payload, packed):
    layout = Layout(LINE)
    head = HEAD.pack(0, 0, 0, 0, 0, 0, 1) if packed else b""
    try:
        segment = layout.unpack(head + payload)
    except segment_log.Damaged:
        return
    segment.check(LINE)


def test_what_would_grow_without_bound_is_not_decompressed(tmp_path):
    log, _ = filled(tmp_path, LINE, some(LINE, 2))
    bomb = HEAD.pack(0, 0, 9, 0, 0, 0, 1) + zlib.compress(bytes(1 << 28), 9)
    assert len(bomb) < 1 << 20
    log._write(frame(bomb))
    log.append(some(LINE, 3)[2])
    assert len(found_in(log)) == 3 and log.damaged == 1
    log.close()


def test_a_file_full_of_marks_is_read_in_time(tmp_path):
    log, _ = filled(tmp_path, LINE, some(LINE, 2))
    log.close()
    with (tmp_path / "00000001.log").open("ab") as file:
        file.write((MARK + (2 << 20).to_bytes(4, "little") + bytes(4)) * (4 << 18))
    again = SegmentLog(tmp_path, LINE)  # reading each of a million claims of 2 MB would take hours
    assert len(found_in(again)) == 2 and again.torn == 12 * (4 << 18)
    again.close()


def test_a_full_disk_leaves_the_log_as_it_was(tmp_path, monkeypatch):
    wanted = some(LINE, 3)
    log, positions = filled(tmp_path, LINE, wanted[:2], file_bytes=10**9)
    write = os.pwrite

    def full(handle, data, offset):
        if len(data) < 60:
            raise OSError(28, "No space left on device")
        return write(handle, data[: len(data) // 2], offset)

    monkeypatch.setattr(segment_log.os, "pwrite", full)
    for size in (10**9, 1):  # in a file that is there, and where a new one begins
        log.file_bytes = size
        with pytest.raises(OSError, match="No space"):
            log.append(wanted[2])
        assert log.position == positions[-1] and log.files() == [1]
    monkeypatch.setattr(segment_log.os, "pwrite", write)
    log.append(wanted[2])
    assert_same(found_in(log), wanted)
    log.close()


def test_a_log_whose_descriptor_was_closed_says_so_once(tmp_path):
    wanted = some(LINE, 2)
    log, _ = filled(tmp_path, LINE, wanted[:1])
    os.close(log.handle)
    with pytest.raises(OSError, match="Bad file descriptor"):
        log.append(wanted[1])
    log.close()
    again, _ = filled(tmp_path, LINE, wanted[1:])
    assert_same(found_in(again), wanted)
    again.close()


@pytest.mark.parametrize("number", range(5))
def test_a_killed_process_loses_nothing_that_was_appended(tmp_path, number):
    wanted = some(LINE, 200)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, 0.02 + 0.01 * number)
        log = SegmentLog(tmp_path, LINE, file_bytes=5000)
        for _ in range(1000):
            for each in wanted:
                log.append(each)
                os.write(writer, b"x")
        os._exit(0)
    os.close(writer)
    appended = 0
    while some_more := os.read(reader, 1 << 16):
        appended += len(some_more)
    os.close(reader)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGALRM
    log = SegmentLog(tmp_path, LINE, file_bytes=5000)
    found = found_in(log)
    assert appended <= len(found) <= appended + 1 and log.damaged == 0
    assert all(same(one, wanted[number % 200]) for number, one in enumerate(found))
    log.close()
