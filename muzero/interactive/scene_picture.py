"""A scene of an episode as a picture: the position, and the search beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from muzero.interactive.episode import Scene, Trace, chosen_first, finite
from muzero.interactive.rendering import ACCENT, BACKGROUND, DIM, INK, LINE, SECOND, SIZE, WARM, picture, pillow
from muzero.interactive.thoughts import Number

PANEL, MARGIN, HEAD = 360, 14, 34  # pixels
ROWS = 6  # moves that are listed


class ScenePictures:
    """Draws the scenes of an episode, all in one size."""

    def __init__(self, title: str) -> None:
        """title: of the episode, above each picture."""
        self.title, self.trace = title, Trace()
        self._image, self._draw, fonts = pillow()
        self._font, self._small = fonts.load_default(15), fonts.load_default(13)
        self._size: tuple[int, int] | None = None

    def draw(self, scene: Scene) -> Any:
        """The picture of the next scene, a `PIL.Image.Image`; its width and height are even."""
        self.trace.add(scene)
        thoughts = scene.thoughts
        weights = {m.action: m.policy for m in thoughts.moves if isinstance(m.action, int)} if thoughts else None
        shown = picture(scene.observation, scene.rules, scene.frame, weights, before=scene.before)
        if self._size is None:
            wide, tall = 3 * MARGIN + shown.width + PANEL, HEAD + MARGIN + max(shown.height, SIZE)
            self._size = (wide + wide % 2, tall + tall % 2)
        canvas = self._image.new("RGB", self._size, BACKGROUND)
        canvas.paste(shown, (MARGIN, HEAD + (self._size[1] - HEAD - MARGIN - shown.height) // 2))
        pen = self._draw.Draw(canvas)
        pen.text((MARGIN, 9), self._cut(self.title, self._size[0] - 2 * MARGIN), font=self._font, fill=INK)
        left = self._size[0] - PANEL - MARGIN
        self._facts(pen, left, HEAD + 2, scene)
        self._moves(pen, left, HEAD + 64, scene)
        bottom = self._size[1] - MARGIN
        self._curve(pen, (left, bottom - 168, left + PANEL, bottom - 92))
        self._rewards(pen, (left, bottom - 70, left + PANEL, bottom))
        return canvas

    def _cut(self, text: str, width: int, font: Any = None) -> str:
        """The beginning of a text that fits into this width."""
        font = font or self._font
        while font.getlength(text) > width:
            text = text[:-2] + "…"
        return text

    def _facts(self, pen: Any, left: int, top: int, scene: Scene) -> None:
        pen.text((left, top), f"step {scene.step:,}", font=self._font, fill=INK)
        pen.text((left + PANEL, top), f"score {scene.score:g}", font=self._font, fill=INK, anchor="ra")
        if scene.over:
            text, colour = scene.ended, WARM
        elif scene.opening:
            text, colour = f"random opening: {scene.action}", DIM
        else:
            text, colour = f"{'plays' if scene.mine else 'the other side plays'} {scene.action}", ACCENT
        pen.text((left, top + 22), self._cut(text, PANEL), font=self._font, fill=colour)
        if not scene.over:
            known = "" if scene.predicted is None else f"; expected {scene.predicted:+z.2f}"
            text = "the environment failed: it begins again" if scene.broken else f"reward {scene.reward:g}{known}"
            pen.text((left, top + 42), text, font=self._small, fill=DIM)

    def _moves(self, pen: Any, left: int, top: int, scene: Scene) -> None:
        """The best moves: prior above, visits or the planner's choice below, and the value."""
        if scene.thoughts is None:
            return
        thoughts, small = scene.thoughts, self._small
        if thoughts.numbers:
            return self._numbers(pen, left, top, thoughts.numbers)
        if not thoughts.moves:
            return
        name, bar = 92, PANEL - 92 - 62
        searched = thoughts.simulations > 0
        pen.text((left + name, top), "prior", font=small, fill=DIM)
        if searched or thoughts.planned:
            pen.text((left + name + 40, top), "visits" if searched else "planner", font=small, fill=ACCENT)
        if searched:
            pen.text((left + PANEL, top), "value", font=small, fill=DIM, anchor="ra")
        for row, move in enumerate(chosen_first(thoughts)[:ROWS]):
            y = top + 20 + 22 * row
            chosen = thoughts.chose(move)
            pen.text((left, y), self._cut(move.name, name - 6, small), font=small, fill=ACCENT if chosen else INK)
            share = move.visits / thoughts.simulations if searched else move.policy * thoughts.planned
            pen.rectangle((left + name, y + 2, left + name + move.prior * bar, y + 6), fill=DIM)
            pen.rectangle((left + name, y + 8, left + name + share * bar, y + 14), fill=ACCENT if chosen else LINE)
            if move.value is not None:
                pen.text((left + PANEL, y), f"{move.value:+z.2f}", font=small, fill=INK, anchor="ra")
        if len(thoughts.moves) > ROWS:
            text = f"{len(thoughts.moves) - ROWS} more moves"
            pen.text((left, top + 20 + 22 * ROWS), text, font=small, fill=DIM)

    def _numbers(self, pen: Any, left: int, top: int, numbers: Sequence[Number]) -> None:
        """The numbers of an action, from -1 to 1: what the network proposes above, what is played below."""
        small, name = self._small, 92
        bar = PANEL - name - 62
        pen.text((left, top), "number", font=small, fill=DIM)
        pen.text((left + name, top), "network", font=small, fill=DIM)
        pen.text((left + name + 60, top), "plays", font=small, fill=ACCENT)
        middle = left + name + bar / 2
        for row, number in enumerate(numbers[:ROWS]):
            y = top + 20 + 22 * row
            pen.text((left, y), self._cut(number.name, name - 6, small), font=small, fill=INK)
            pen.rectangle((left + name, y + 1, left + name + bar, y + 15), outline=LINE)
            pen.line((middle, y + 1, middle, y + 15), fill=LINE)
            for value, high, low, colour in ((number.network, 3, 6, DIM), (number.chosen, 8, 13, ACCENT)):
                ends = sorted((middle, middle + min(max(value, -1.0), 1.0) * bar / 2))
                pen.rectangle((ends[0] - 1, y + high, ends[1] + 1, y + low), fill=colour)
            pen.text((left + PANEL, y), f"{number.chosen:+z.2f}", font=small, fill=INK, anchor="ra")
        if len(numbers) > ROWS:
            text = f"{len(numbers) - ROWS} more numbers"
            pen.text((left, top + 20 + 22 * ROWS), text, font=small, fill=DIM)

    def _curve(self, pen: Any, box: tuple[int, int, int, int]) -> None:
        """The value of the positions over time."""
        left, top, right, bottom = box
        values = np.array(self.trace.values)
        known = finite(self.trace.values)
        now = f"{values[-1]:+z.2f}" if len(values) and np.isfinite(values[-1]) else ""
        pen.text((left, top - 18), "value of the position", font=self._small, fill=DIM)
        pen.text((right, top - 18), now, font=self._small, fill=SECOND, anchor="ra")
        pen.rectangle(box, outline=LINE)
        if not known:
            return
        low, high = min(known), max(known)
        middle, half = (low + high) / 2, max((high - low) / 2, 0.05)
        places = np.linspace(left + 3, right - 3, max(len(values), 2))
        points = [
            (x, (top + bottom) / 2 - (value - middle) / half * ((bottom - top) / 2 - 5))
            for x, value in zip(places, values, strict=False)
            if np.isfinite(value)
        ]
        pen.line(points, fill=SECOND, width=2)
        if len(points) == 1:
            pen.ellipse((points[0][0] - 2, points[0][1] - 2, points[0][0] + 2, points[0][1] + 2), fill=SECOND)

    def _rewards(self, pen: Any, box: tuple[int, int, int, int]) -> None:
        """Rewards as bars, and what was expected as dots."""
        left, top, right, bottom = box
        pen.text((left, top - 18), "reward", font=self._small, fill=WARM)
        pen.text((left + 52, top - 18), "expected", font=self._small, fill=ACCENT)
        pen.rectangle(box, outline=LINE)
        rewards, expected = np.array(self.trace.rewards), np.array(self.trace.predictions)
        largest = max(map(abs, [*finite(self.trace.rewards), *finite(self.trace.predictions), 1e-3]))
        largest = max(largest, 0.1)
        below = min([*finite(self.trace.rewards), *finite(self.trace.predictions), 0.0]) < -0.05 * largest
        zero, reach = ((top + bottom) / 2, (bottom - top) / 2 - 6) if below else (bottom - 6, bottom - top - 12)
        pen.line((left + 1, zero, right - 1, zero), fill=LINE)
        for x, real, said in zip(
            np.linspace(left + 3, right - 3, max(len(rewards), 2)), rewards, expected, strict=False
        ):
            if real:
                pen.line((x, zero, x, zero - real / largest * reach), fill=WARM, width=2)
            if np.isfinite(said):
                y = zero - said / largest * reach
                pen.rectangle((x - 1, y - 1, x + 1, y + 1), fill=ACCENT)
