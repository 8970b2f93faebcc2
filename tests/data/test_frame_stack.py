"""Stacked observations in the log: each frame once where rows share frames, and what comes out is what went in."""

import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from segments import IMAGE, SPECS, assert_same, changed, shifted, some

from muzero.actions import Discrete
from muzero.data import frame_stack
from muzero.data.segment_format import HEAD, Damaged, Layout, frame
from muzero.data.segment_log import SegmentLog
from muzero.interfaces import GameSpec

COLOUR = GameSpec("atari/pong", (12, 5, 4), "uint8", Discrete(6), (0.0, 0.99))
MEASURED = GameSpec("python/history", (6,), "float32", Discrete(2), (0.0, 0.99))
NUMBER = GameSpec("python/number", (), "float32", Discrete(2), (0.0, 0.99))

SHARED = st.sampled_from([(COLOUR, 3), (COLOUR, 1), (COLOUR, 11), (MEASURED, 1), (MEASURED, 4), (IMAGE, 1)])


def new_planes(payload):
    """The number that a record holds."""
    return HEAD.unpack_from(payload)[5] >> 1


@settings(deadline=None)
@given(SHARED, st.integers(0, 2**32 - 1))
def test_rows_that_shift_are_stored_with_each_plane_once(shared, seed):
    spec, new = shared
    layout, rng = Layout(spec), np.random.default_rng(seed)
    segment = shifted(some(spec, 3, seed)[seed % 3], new, rng)
    rows, planes = segment.columns["observation"], spec.observation[0]
    payload = layout.pack(segment)
    assert_same(layout.unpack(payload), segment)
    if len(segment) == 1:
        assert new_planes(payload) == 0
        return
    # An independent encoding: the first row, and the last planes of all others.
    head = HEAD.pack(*segment.id, segment.version, segment.tail + 2 * new, len(segment))
    expected = rows[0].tobytes() + b"".join(row[planes - new :].tobytes() for row in rows[1:])
    content = zlib.decompress(payload[HEAD.size :])
    assert payload[: HEAD.size] == head and content.startswith(expected)
    others = len(segment) * (layout.row_bytes - rows[0].nbytes)
    assert len(content) == len(expected) + others


@settings(deadline=None)
@given(SHARED, st.integers(0, 2**32 - 1))
def test_rows_of_which_one_does_not_follow_are_stored_whole(shared, seed):
    spec, new = shared
    layout, rng = Layout(spec), np.random.default_rng(seed)
    segment = shifted(some(spec, 3, seed)[seed % 3], new, rng, least=3)
    rows = segment.columns["observation"].copy()
    # One bit of a plane that two rows show, in one of them.
    row, plane = int(rng.integers(1, len(rows))), int(rng.integers(spec.observation[0] - new))
    bits = rows[row, plane : plane + 1].view(np.uint8).reshape(-1)
    bits[int(rng.integers(bits.size // 4)) * 4] ^= 1
    broken = changed(segment, observation=rows)
    payload = layout.pack(broken)
    assert new_planes(payload) == 0
    assert_same(layout.unpack(payload), broken)
    assert zlib.decompress(payload[HEAD.size :]).startswith(rows.tobytes())


@pytest.mark.parametrize("spec", [*SPECS, COLOUR, MEASURED, NUMBER], ids=lambda spec: f"{spec.observation}")
def test_the_least_number_of_new_planes_is_found_and_nothing_else(spec):
    """Segments in no order, some of which have so many zeros that a few rows follow from each other by chance."""
    layout, found = Layout(spec), set()
    for segment in some(spec, 200):
        payload = layout.pack(segment)
        assert_same(layout.unpack(payload), segment)
        rows, planes = segment.columns["observation"], (spec.observation or (1,))[0]
        able = [new for new in range(1, planes) if np.array_equal(rows[1:, : planes - new], rows[:-1, new:])]
        assert new_planes(payload) == (min(able) if able and len(rows) > 1 else 0)
        found.add(new_planes(payload))
    assert 0 in found


def test_the_signs_of_zeros_are_kept():
    segment = changed(shifted(some(MEASURED, 1)[0], 1, np.random.default_rng(0), least=4))
    rows = np.zeros_like(segment.columns["observation"])
    rows[1, 0] = -0.0  # equal to the number of the row before, but other bits
    layout = Layout(MEASURED)
    found = layout.unpack(layout.pack(changed(segment, observation=rows)))
    assert found.columns["observation"].tobytes() == rows.tobytes()


@pytest.mark.parametrize("planes", [128, 129, 200])
def test_more_new_planes_than_a_record_can_name_are_stored_whole(planes):
    spec = GameSpec("python/many", (planes, 2), "uint8", Discrete(2), (0.0, 0.99))
    layout, rng = Layout(spec), np.random.default_rng(planes)
    for new in (1, 127, planes - 1):
        segment = shifted(some(spec, 1)[0], new, rng, least=3)
        payload = layout.pack(segment)
        assert new_planes(payload) == (new if new <= 127 else 0)
        assert_same(layout.unpack(payload), segment)


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 9))
def test_rows_come_back_from_their_planes(rows, planes, new):
    once = np.arange(planes + (rows - 1) * min(new, planes))
    stacked = frame_stack.stack(once, planes, min(new, planes))
    assert stacked.shape == (rows, planes) and frame_stack.count(rows, planes, min(new, planes)) == len(once)
    np.testing.assert_array_equal(frame_stack.unstack(stacked, min(new, planes)), once)
    expected = min(new, planes) if rows > 1 and new < planes else 0
    assert frame_stack.new_planes(stacked) == expected


# --- damage --------------------------------------------------------------------------------------------------------


def test_a_record_with_another_number_of_new_planes_is_damaged():
    layout = Layout(COLOUR)
    segment = shifted(some(COLOUR, 1)[0], 3, np.random.default_rng(0), least=5)
    payload = layout.pack(segment)
    *head, _, rows = HEAD.unpack_from(payload)
    for new in set(range(128)) - {3}:
        with pytest.raises(Damaged):
            layout.unpack(HEAD.pack(*head, 2 * new, rows) + payload[HEAD.size :])
    for other in set(range(20)) - {rows}:
        with pytest.raises(Damaged):
            layout.unpack(HEAD.pack(*head, 6, other) + payload[HEAD.size :])


def test_a_record_of_shared_frames_that_would_grow_is_damaged():
    most = 10_000
    content = zlib.compress(bytes(1 << 28), 9)
    for new in (0, 1, 3, 11):
        with pytest.raises(Damaged):
            Layout(COLOUR).unpack(HEAD.pack(0, 0, 9, 0, 0, 2 * new, most) + content)


def test_each_changed_byte_of_a_log_of_shared_frames_is_found(tmp_path):
    wanted = [shifted(each, 1, np.random.default_rng(number)) for number, each in enumerate(some(IMAGE, 3))]
    log = SegmentLog(tmp_path, IMAGE)
    begin, *ends = [log.position.offset] + [log.append(each).offset for each in wanted]
    log.close()
    path, found = tmp_path / "00000001.log", []
    whole = path.read_bytes()
    assert begin == len(frame(Layout(IMAGE).header))
    for at in range(begin, ends[1], 7):  # in the first two records
        text = bytearray(whole)
        text[at] ^= 1 + at % 255
        path.write_bytes(text)
        log = SegmentLog(tmp_path, IMAGE)
        found = [segment for _, segment in log.scan()]
        log.close()
        assert log.damaged == 1 and len(found) == 2
        assert_same(found[0], wanted[1 if at < ends[0] else 0])
        assert_same(found[1], wanted[2])
    assert found
