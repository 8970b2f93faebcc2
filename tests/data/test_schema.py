"""The one list of columns: everything that holds steps has exactly these, and the log stores them as it always did."""

import shutil
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from segments import IMAGE, LINE, SPECS, assert_same, changed, some

from muzero.actions import Box
from muzero.data.replay import Replay
from muzero.data.schema import columns, row_bytes
from muzero.data.segment_format import HEAD, Layout
from muzero.data.segment_log import SegmentLog
from muzero.interfaces import GameSpec, Window, WindowSize

ARM = GameSpec("gym/Pendulum-v1", (3,), "float32", Box(1), (0.0, 0.997))
LINKS = ("next", "previous", "over", "version", "refreshed")  # what a replay keeps beside the columns


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_the_bytes_of_a_logged_segment_follow_format_4(spec):
    """An independent encoding: a head, then the columns in a fixed order, little-endian, compressed.

    Nothing is shared by these observations; see `test_frame_stack` for those that share frames.
    """
    rng = np.random.default_rng(0)
    for segment in some(spec, 6):
        dense = rng.integers(1, 256, segment.columns["observation"].shape).astype(spec.dtype)
        segment = changed(segment, observation=dense)
        found = segment.columns
        order = [
            found["observation"].astype("<f4" if spec.dtype == "float32" else "u1"),
            found["legal"].astype("u1"),
            found["action"].astype("<i8"),
            *(found[name].astype("<f4") for name in ("reward", "discount", "policy", "value")),
            (~found["planned"]).astype("u1"),  # the log stores which actions were drawn at random
            found["taught"].astype("u1"),
        ]
        packed = Layout(spec).pack(segment)
        assert packed[: HEAD.size] == HEAD.pack(*segment.id, segment.version, segment.tail, len(segment))
        assert zlib.decompress(packed[HEAD.size :]) == b"".join(array.tobytes() for array in order)


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_a_replay_stores_each_column_and_counts_its_bytes(spec):
    replay = Replay(spec, 0, capacity=100)
    replay.add(some(spec, 1)[0])
    stored = {name: array for name, array in replay.rows.items() if name not in LINKS}
    assert {name: (array.shape[1:], str(array.dtype)) for name, array in stored.items()} == {
        column.name: (column.shape, column.dtype) for column in columns(spec)
    }
    assert row_bytes(spec) == sum(array[0].nbytes for array in stored.values())


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_a_window_keeps_the_dtype_of_each_column(spec):
    replay = Replay(spec, 0, capacity=1000)
    for segment in some(spec, 9):
        over = segment.columns["discount"].copy()
        over[-1] = 0
        replay.add(changed(segment, discount=over))
    _, window = replay.sample(32, WindowSize(5, 3))
    assert window.over.any()
    for column in columns(spec):
        if column.name in Window.__dataclass_fields__:
            assert str(getattr(window, column.name).dtype) == f"torch.{column.dtype}", column.name


def test_a_segment_with_a_column_missing_or_added_is_refused():
    segment = some(SPECS[0], 1)[0]
    fewer = {name: array for name, array in segment.columns.items() if name != "value"}
    for found in (fewer, segment.columns | {"age": np.zeros(len(segment))}):
        with pytest.raises(ValueError, match=r"columns .*; expected observation, legal, .*, value"):
            replace(segment, columns=found).check(SPECS[0])


def test_a_log_written_before_the_mask_was_turned_around_is_read(tmp_path):
    """A log as version 0.1.0 wrote it, and the columns that it wrote, of which `random` was one."""
    folder = Path(__file__).parent / "segment_log"
    shutil.copy(folder / "00000001.log", tmp_path)
    written = np.load(folder / "columns.npz")
    log = SegmentLog(tmp_path, LINE)
    segments = [segment for _, segment in log.scan()]
    assert len(segments) == 4 and log.damaged == 0
    assert {bool(flag) for segment in segments for flag in segment.columns["planned"]} == {False, True}
    for number, segment in enumerate(segments):
        assert (segment.id.game, segment.version, segment.tail) == (number, number, number % 2 == 1)
        for name, array in segment.columns.items():
            if name == "taught":
                wanted = before_format_3(written, number)
            else:
                wanted = ~written[f"{number}.random"] if name == "planned" else written[f"{number}.{name}"]
            np.testing.assert_array_equal(array, wanted)
    log.close()


def before_format_3(written, number):
    """The mask of a segment of a log that has none: every policy is a training target."""
    return written[f"{number}.policy"].sum(1) > 0


@pytest.mark.parametrize(("folder", "spec", "candidates"), [("all", LINE, 0), ("weighed", ARM, 4)])
def test_a_log_of_format_2_is_read_and_continued(tmp_path, folder, spec, candidates):
    """A log as the commit be8b70b wrote it, where all searches were full, and the columns that it wrote."""
    folder = Path(__file__).parent / "segment_log_2" / folder
    shutil.copy(folder / "00000001.log", tmp_path)
    written = np.load(folder / "columns.npz")
    log = SegmentLog(tmp_path, spec, candidates)
    before = [segment for _, segment in log.scan()]
    names = {name.partition(".")[2] for name in written}
    assert len(before) == len(written.files) / len(names) > 1 and log.damaged == 0
    assert {column.name for column in columns(spec, candidates)} == names | {"taught"}
    for number, segment in enumerate(before):
        for name in names:
            np.testing.assert_array_equal(segment.columns[name], written[f"{number}.{name}"])
        np.testing.assert_array_equal(segment.columns["taught"], before_format_3(written, number))
    mask = np.arange(len(before[0])) % 2 == 0
    log.append(changed(before[0], taught=mask))  # a resumed run: a record of format 4 in the same file
    *again, last = [segment for _, segment in log.scan()]
    assert len(again) == len(before) and log.damaged == 0
    np.testing.assert_array_equal(last.columns["taught"], mask)
    log.close()


def test_a_log_of_format_3_is_read_and_continued(tmp_path):
    """A log as the commit 9e101b2 wrote it, with stacked observations that are whole, and the columns that it wrote."""
    folder = Path(__file__).parent / "segment_log_3"
    shutil.copy(folder / "00000001.log", tmp_path)
    written = np.load(folder / "columns.npz")
    log = SegmentLog(tmp_path, IMAGE)
    before = [segment for _, segment in log.scan()]
    assert len(before) == 3 and log.damaged == 0
    end = log.position
    for number, segment in enumerate(before):
        for name, array in segment.columns.items():
            np.testing.assert_array_equal(array, written[f"{number}.{name}"])
        log.append(segment)  # a resumed run: in the same file, in format 4
    again = [segment for _, segment in log.scan()]
    assert len(again) == 6 and log.damaged == 0 and log.files() == [1]
    for one, other in zip(before * 2, again, strict=True):
        assert_same(other, one)
    shared = [HEAD.unpack_from(log.layout.pack(segment))[5] >> 1 for segment in before]
    assert shared == [1, 0, 1] and log.position.offset - end.offset < end.offset
    log.close()


def test_a_position_without_a_policy_cannot_teach_it():
    segment = some(LINE, 1)[0]
    none = np.zeros_like(segment.columns["policy"])
    with pytest.raises(ValueError, match="a position without a policy is marked as one that teaches it"):
        changed(segment, policy=none, taught=np.ones(len(segment), bool)).check(LINE)
    changed(segment, policy=none, taught=np.zeros(len(segment), bool)).check(LINE)
