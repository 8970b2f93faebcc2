"""Pictures of an episode as a file: a film (MP4, GIF) that is written as it is made, or a strip (PNG)."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from muzero.interactive.rendering import BACKGROUND, pillow
from muzero.util.extras import need

CODECS = {".mp4": "libx264", ".gif": "gif"}
SUFFIXES = (*CODECS, ".png")
HOLD = 1.5  # seconds for which a film shows its last picture
COLOURS = 128  # of a picture of a GIF
GAP = 8  # pixels between the pictures of a strip


class Film(ABC):
    """A file of pictures.  It appears under its name when it is closed, complete; until then it lies beside it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._aside = path.with_name(f".{path.stem}-{os.getpid()}{path.suffix.lower()}")
        self.pictures = 0  # that were added

    @abstractmethod
    def add(self, picture: Any, step: int) -> None:
        """Add the picture of a step, a `PIL.Image.Image` in RGB; all have one size."""

    @abstractmethod
    def _finish(self) -> None:
        """Complete the file that lies beside."""

    def close(self) -> None:
        """Complete the file and give it its name; without pictures there is none."""
        try:
            self._finish()
            if self.pictures:
                self._aside.replace(self.path)
        finally:
            self.discard()

    def discard(self) -> None:
        """Remove what was written and has not got its name yet."""
        with suppress(FileNotFoundError):
            self._aside.unlink()


class Moving(Film):
    """MP4 or GIF, by PyAV; one picture is in memory at a time."""

    def __init__(self, path: Path, fps: float) -> None:
        super().__init__(path)
        self._av: Any = need("av", f"a film ({path.suffix})", "PyAV", "watch")
        pillow()
        self._codec, self._fps = CODECS[path.suffix.lower()], Fraction(fps).limit_denominator(1000)
        self._container: Any = None
        self._stream: Any = None
        self._last: Any = None

    def add(self, picture: Any, step: int) -> None:
        if self._container is None:
            self._begin(picture.width, picture.height)
        self._last = picture
        self._write(picture)
        self.pictures += 1

    def _begin(self, width: int, height: int) -> None:
        self._container = self._av.open(str(self._aside), mode="w", format=self.path.suffix.lower()[1:])
        self._stream = self._container.add_stream(self._codec, rate=self._fps)
        self._stream.width, self._stream.height = width, height
        if self._codec == "gif":
            self._stream.pix_fmt = "pal8"
        else:
            self._stream.pix_fmt, self._stream.options = "yuv420p", {"crf": "20", "preset": "veryfast"}

    def _write(self, picture: Any) -> None:
        make = self._av.VideoFrame.from_ndarray
        frame = make(indexed(picture), "pal8") if self._codec == "gif" else make(np.asarray(picture), "rgb24")
        self._container.mux(self._stream.encode(frame))

    def _finish(self) -> None:
        if self._container is None:
            return
        for _ in range(round(HOLD * self._fps)):
            self._write(self._last)
        self._container.mux(self._stream.encode(None))
        self._container.close()


def indexed(picture: Any) -> tuple[np.ndarray, np.ndarray]:
    """A picture as numbers [H, W] of its own colours, and these [256, 4] with the opacity first."""
    image, *_ = pillow()
    reduced = picture.quantize(COLOURS, dither=image.Dither.NONE)  # dithered, it is seven times as large
    colours = np.array(reduced.getpalette(), np.uint8).reshape(-1, 3)
    palette = np.full((256, 4), 255, np.uint8)
    palette[: len(colours), 1:] = colours
    return np.asarray(reduced), palette


class Strip(Film):
    """A PNG of several pictures side by side: of given steps, or at equal distances over the episode."""

    def __init__(self, path: Path, count: int, steps: Sequence[int] | None = None) -> None:
        """Begin a strip.

        Args:
            path: of the file.
            count: of pictures, at most.
            steps: whose pictures are shown; None: at equal distances, the first and the last included.
        """
        super().__init__(path)
        pillow()
        self._count, self._steps = count, None if steps is None else set(steps)
        self._kept: list[tuple[int, Any]] = []  # with their numbers
        self._every = 1  # pictures, of which one is kept
        self._last: Any = None

    def add(self, picture: Any, step: int) -> None:
        number, self.pictures = self.pictures, self.pictures + 1
        self._last = (number, picture)
        if self._steps is not None:
            if step in self._steps:
                self._kept.append(self._last)
        elif number % self._every == 0:
            self._kept.append(self._last)
            if len(self._kept) > 4 * self._count:  # memory stays bounded: half of them go
                self._every *= 2
                self._kept = self._kept[::2]

    def _chosen(self) -> list[Any]:
        """The pictures to show."""
        if self._steps is not None:
            return [picture for _, picture in self._kept]
        kept = self._kept if not self._kept or self._kept[-1] == self._last else [*self._kept, self._last]
        numbers = np.array([number for number, _ in kept])
        wanted = np.linspace(0, numbers[-1], min(self._count, len(kept))) if len(kept) else []
        return [kept[index][1] for index in dict.fromkeys(int(np.abs(numbers - each).argmin()) for each in wanted)]

    def _finish(self) -> None:
        chosen = self._chosen()
        if not chosen:
            self.pictures = 0
            return
        image, *_ = pillow()
        wide, tall = chosen[0].size
        columns = min(len(chosen), 2 if len(chosen) <= 4 else 3)
        rows = -(-len(chosen) // columns)
        sheet = image.new(
            "RGB", (columns * (wide + GAP) + GAP, rows * (tall + GAP) + GAP), tuple(2 * each for each in BACKGROUND)
        )
        for number, picture in enumerate(chosen):
            row, column = divmod(number, columns)
            sheet.paste(picture, (GAP + column * (wide + GAP), GAP + row * (tall + GAP)))
        sheet.save(self._aside, "PNG", optimize=True)
        self.pictures = len(chosen)


def film(path: Path, fps: float, count: int, steps: Sequence[int] | None) -> Film:
    """The file of this name, by its suffix, one of `SUFFIXES`; see `Moving` and `Strip`.

    Raises:
        MissingExtra: if a package is missing that it needs.
    """
    return Moving(path, fps) if path.suffix.lower() in CODECS else Strip(path, count, steps)
