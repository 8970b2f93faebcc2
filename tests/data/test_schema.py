"""The one list of columns: everything that holds steps has exactly these, and the log stores them as it always did."""

import shutil
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from segments import LINE, SPECS, changed, some

from muzero.data.replay import Replay
from muzero.data.schema import columns, row_bytes
from muzero.data.segment_format import HEAD, Layout
from muzero.data.segment_log import SegmentLog
from muzero.interfaces import Window, WindowSize

LINKS = ("next", "previous", "over")  # what a replay keeps beside the columns


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_the_bytes_of_a_logged_segment_follow_format_1(spec):
    """An independent encoding: a head, then the columns in a fixed order, little-endian, compressed."""
    for segment in some(spec, 6):
        found = segment.columns
        order = [
            found["observation"].astype("<f4" if spec.dtype == "float32" else "u1"),
            found["legal"].astype("u1"),
            found["action"].astype("<i8"),
            *(found[name].astype("<f4") for name in ("reward", "discount", "policy", "value")),
            (~found["planned"]).astype("u1"),  # format 1 stores which actions were drawn at random
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
            wanted = ~written[f"{number}.random"] if name == "planned" else written[f"{number}.{name}"]
            np.testing.assert_array_equal(array, wanted)
    log.close()
