"""Segments as records of a log.

A record is a mark, the length of its payload, the CRC32C of length and payload, and the payload; the first of each
file says which game it is of.  Nothing is trusted when read: lengths are bounded before memory is taken, what is
decompressed cannot grow, and a corrupt record is skipped.
"""

import json
import math
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import google_crc32c
import numpy as np

from muzero.data import frame_stack, schema
from muzero.data.schema import Column, Segment, SegmentId
from muzero.interfaces import GameSpec

# Earlier ones are read: 1 to 3 hold stacked observations whole, 1 and 2 lack `LATER`, and in 1 games that are over have
# no row without a step.
FORMAT = 4
MARK = b"\xabMZ\x01"
FRAME = struct.Struct("<4sII")  # mark, length and CRC32C
HEAD = struct.Struct("<qqqqqBI")  # id, version, tail and twice the new planes of a row, rows
MOST_ROWS = 10_000  # of a segment, as of its configuration
INVERTED = {"planned"}  # columns of which a record stores the negation: it was the mask of random actions
LATER = "taught"  # the column that formats 1 and 2 lack; every policy of theirs is a training target
LEVEL = 3  # of zlib: on Pong as fast as 1 and a seventh smaller; 6 is a third smaller still, and takes twice the time
PATIENCE = 4  # times the length of a file that may be read again to find whole records between damaged ones


class Damaged(ValueError):
    """A record is incomplete or corrupt, or its segment does not fit the game."""


def frame(payload: bytes) -> bytes:
    """The record that holds a payload."""
    length = len(payload).to_bytes(4, "little")
    return FRAME.pack(MARK, len(payload), google_crc32c.value(length + payload)) + payload


def unframe(text: bytes, offset: int, most: int) -> tuple[bytes, int]:
    """The payload of the record at an offset, and where the next one begins.

    Raises:
        Damaged: if there is no whole record.
    """
    if len(text) - offset < FRAME.size:
        raise Damaged
    mark, length, crc = FRAME.unpack_from(text, offset)
    begin = offset + FRAME.size
    if mark != MARK or length > most or begin + length > len(text):
        raise Damaged
    payload = text[begin : begin + length]
    if google_crc32c.value(length.to_bytes(4, "little") + payload) != crc:
        raise Damaged
    return payload, begin + length


def records(text: bytes, offset: int, most: int, problems: list[int]) -> Iterator[tuple[int, bytes]]:
    """Offsets and payloads of the whole records.

    After damage, the offset of which is added to `problems`, reading resumes at the next whole record.
    """
    patience, intact = PATIENCE * len(text), True
    while 0 <= offset < len(text):
        try:
            payload, after = unframe(text, offset, most)
        except Damaged:
            if intact:
                problems.append(offset)
                intact = False
            # Marks can lie anywhere in data: each costs the reading of what it claims to be a record.
            patience -= claimed(text, offset, most)
            offset = text.find(MARK, offset + 1) if patience > 0 else -1
            continue
        intact = True
        yield offset, payload
        offset = after


def claimed(text: bytes, offset: int, most: int) -> int:
    """Bytes that must be read to see that a whole record does not begin here."""
    if len(text) - offset < FRAME.size:
        return 1
    mark, length, _ = FRAME.unpack_from(text, offset)
    return length if mark == MARK and length <= min(most, len(text) - offset - FRAME.size) else 1


class Layout:
    """Segments of a game as bytes: a fixed head, then the compressed arrays one after the other.

    Where stacked observations share frames, each frame is there once, see `frame_stack`.  Otherwise, and in records of
    earlier formats, the number of new planes is 0 and the observations are whole.
    """

    def __init__(self, spec: GameSpec, candidates: int = 0) -> None:
        self.spec, self.candidates = spec, candidates
        known: dict[str, Any] = {"game": spec.name, "actions": spec.actions.mark}
        known |= {"observation": list(spec.observation), "dtype": spec.dtype}
        weighed = known | {"candidates": candidates}
        self.header, *earlier = (json.dumps({"format": number} | weighed).encode() for number in (FORMAT, 3, 2))
        self.headers = {self.header, *earlier}
        if not candidates:
            self.headers.add(json.dumps({"format": 1} | known).encode())
        self.columns = schema.columns(spec, candidates)
        self.row_bytes = schema.row_bytes(spec, candidates)
        self.planes, *plane = spec.observation or (1,)
        self.plane_bytes = np.dtype(spec.dtype).itemsize * math.prod(plane)
        before = tuple(column for column in self.columns if column.name != LATER)
        self.by_size = {sum(column.rows(1).nbytes for column in each): each for each in (before, self.columns)}
        # What zlib makes of data that cannot be compressed is a little larger.
        self.most_bytes = HEAD.size + MOST_ROWS * (self.row_bytes + self.row_bytes // 1000 + 1) + 1024

    def pack(self, segment: Segment) -> bytes:
        """The payload that holds a segment."""
        new = frame_stack.new_planes(segment.columns["observation"])
        head = HEAD.pack(*segment.id, segment.version, segment.tail | new << 1, len(segment))
        arrays = {name: ~array if name in INVERTED else array for name, array in segment.columns.items()}
        if new:
            arrays["observation"] = frame_stack.unstack(arrays["observation"], new)
        stored = (arrays[column.name].astype(little_endian(column), copy=False) for column in self.columns)
        content = b"".join(array.tobytes() for array in stored)
        return head + zlib.compress(content, LEVEL)

    def unpack(self, payload: bytes) -> Segment:
        """The segment that a payload holds.

        Raises:
            Damaged: if it is not a segment of this game.
        """
        segment = self.unchecked(payload)
        try:
            segment.check(self.spec, self.candidates)
        except ValueError as error:
            raise Damaged from error
        return segment

    def unchecked(self, payload: bytes) -> Segment:
        """The segment that a payload holds, whose numbers may not fit the game.

        Raises:
            Damaged: if arrays of other shapes are there.
        """
        if len(payload) < HEAD.size:
            raise Damaged
        *number, version, flags, rows = HEAD.unpack_from(payload)
        tail, new = flags & 1, flags >> 1
        if not 0 < rows <= MOST_ROWS or new >= self.planes:
            raise Damaged
        most = rows * self.row_bytes
        machine = zlib.decompressobj()
        try:
            content = machine.decompress(payload[HEAD.size :], most + 1)
        except zlib.error as error:
            raise Damaged from error
        if not machine.eof or machine.unused_data:
            raise Damaged
        arrays = self._arrays(content, rows, new)
        return Segment(SegmentId(*number), version, arrays, bool(tail))

    def _arrays(self, content: bytes, rows: int, new: int) -> dict[str, np.ndarray]:
        """The arrays of a segment by column, in which each row has this number of new planes; 0: they are whole."""
        planes = frame_stack.count(rows, self.planes, new or self.planes)
        shared = (rows * self.planes - planes) * self.plane_bytes
        # A log may hold records of several formats, as a run that is resumed appends to it: the length is the mark.
        size, rest = divmod(len(content) + shared, rows)
        columns = self.by_size.get(size)
        if columns is None or rest:
            raise Damaged
        arrays, offset = {}, 0
        for column in columns:
            shape = (planes, *column.shape[1:]) if new and column.name == "observation" else (rows, *column.shape)
            array = np.frombuffer(content, little_endian(column), math.prod(shape), offset).reshape(shape)
            arrays[column.name] = ~array if column.name in INVERTED else array.astype(column.dtype)
            offset += array.nbytes
        if new:
            arrays["observation"] = frame_stack.stack(arrays["observation"], self.planes, new)
        arrays.setdefault(LATER, arrays["policy"].any(1))
        return arrays


def little_endian(column: Column) -> np.dtype:
    """The dtype of a column in the log, the same on all machines."""
    return np.dtype(column.dtype).newbyteorder("<")
