"""An episode in the terminal: the position, and the search beside it."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from rich.align import Align
from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.live import Live
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from muzero.cli.board_view import board
from muzero.cli.keys import Keys, pressed
from muzero.cli.tables import say
from muzero.interactive.episode import Scene, Trace, chosen_first, finite
from muzero.interactive.pictures import frame_of, half_blocks, shades
from muzero.interactive.thoughts import Thoughts

BLOCKS, LEVELS = " ▏▎▍▌▋▊▉█", "▁▂▃▄▅▆▇█"
BESIDE = 70  # columns from which the search is beside the position
ROWS = 9  # moves that are listed, at most
LEAST = 0.1  # the range of values that a curve shows at least: less is not worth looking at
RARE = 0.05  # rewards, real or expected, that are worth a line
MOST_NUMBERS = 16  # of an observation that are listed
HELP = "space pause  n next  +/- speed  q quit"


class Pace:
    """How fast an episode is shown, changed by keys."""

    def __init__(self, fps: float, keys: Keys | None) -> None:
        self.fps, self.paused, self.quit = fps, False, False
        self.stepping = False  # whether to pause again at the next scene
        self._keys, self._due = keys, time.monotonic()

    def wait(self) -> bool:
        """Wait until the next scene is due, or a key says so.  Returns whether the view has to be drawn again."""
        self._due, asked = max(self._due + 1 / self.fps, time.monotonic()), False
        # Keys are read also where drawing takes longer than a step may.
        while not self.quit and (self.paused or not asked or time.monotonic() < self._due):
            left, asked = 3600.0 if self.paused else max(self._due - time.monotonic(), 0.0), True
            if self._keys is None:
                time.sleep(left)
            elif (key := self._keys(left)) and self._take(key):
                return True
        return False

    def _take(self, key: str) -> bool:
        """Obey a key; returns whether the view changes while the scene stays."""
        if key in "qQ\x04\x1b":
            self.quit = True
        elif key == " ":
            self.paused = not self.paused
        elif key in "+=-":
            self.fps = min(max(self.fps * (0.5 if key == "-" else 2), 0.1), 240)
        elif key in "nN" and self.paused:
            self._due, self.paused, self.stepping = 0.0, False, True
        return key in " +=-"


def live(console: Console, title: str, scenes: Iterable[Scene], fps: float) -> Scene | None:
    """Show an episode until its end, or until a key ends it.  Returns the last scene that was shown."""
    trace, last = Trace(), None
    with pressed() as keys, Live(console=console, screen=True, auto_refresh=False) as shown:
        pace = Pace(fps, keys)
        for scene in scenes:
            trace.add(scene)
            last = scene
            if pace.stepping:
                pace.paused, pace.stepping = True, False
            again = True
            while again:
                shown.update(view(console, title, scene, trace, pace), refresh=True)
                again = pace.wait()
            if pace.quit:
                break
    return last


def lines(console: Console, scenes: Iterable[Scene]) -> Scene | None:
    """Print a line for each step: for files, pipes and simple terminals.  Returns the last scene."""
    last = None
    for scene in scenes:
        last = scene
        if scene.over:
            continue
        parts = [
            f"step {scene.step}",
            f"score {scene.score:g}",
            f"{'plays' if scene.mine else 'the other side plays'} {scene.action}",
        ]
        parts += ["(random opening)"] if scene.opening else []
        parts += [f"value {scene.value:+z.3f}"] if math.isfinite(scene.value) else []
        parts += [f"reward {scene.reward:g}"]
        parts += [] if scene.predicted is None else [f"expected {scene.predicted:+z.3f}"]
        parts += ["the environment failed: it begins again"] if scene.broken else []
        say(console, "  ".join(parts))
    return last


def view(console: Console, title: str, scene: Scene, trace: Trace, pace: Pace) -> RenderableType:
    """A scene as wide and as high as the terminal."""
    width, height = console.size
    head = Text(title, style="bold", no_wrap=True, overflow="ellipsis")
    foot = Text(f"{'paused' if pace.paused else f'{pace.fps:g} steps/s'}  {HELP}", style="dim", no_wrap=True)
    if width >= BESIDE:
        right = min(max(width // 2, 34), 56)
        beside = Table.grid(padding=(0, 2))
        beside.add_row(position(console, scene, width - right - 2, height - 3), panel(scene, trace, right, height - 3))
        return Group(head, Cropped(beside, height - 2), foot)
    facts = panel(scene, trace, width, max(height // 2, 8))
    used = len(console.render_lines(facts, pad=False))
    shown = Align.left(position(console, scene, width, max(height - used - 3, 4)))
    return Group(head, Cropped(Group(shown, facts), height - 2), foot)


@dataclass(frozen=True)
class Cropped:
    """The first lines of what is drawn."""

    drawn: RenderableType
    height: int

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        for line in console.render_lines(self.drawn, options, pad=False)[: self.height]:
            yield from line
            yield Segment.line()


def position(console: Console, scene: Scene, width: int, height: int) -> RenderableType:
    """The position: the environment's frame, the board as characters, or the numbers of the observation."""
    frame = scene.frame
    if frame is None and scene.rules is not None:
        shown = board(console, (scene.before or scene.rules).draw(), scene.rules)
        shown.no_wrap = True
        return shown
    frame = frame_of(scene.observation) if frame is None else frame
    if frame is None:
        return numbers(scene.observation, width, height)
    if min(frame.shape[:2]) <= 32:  # of few large cells: each of them as many characters as fit
        factor = max(1, min(width // frame.shape[1], 2 * height // frame.shape[0]))
        frame = np.repeat(np.repeat(frame, factor, 0), factor, 1)
        width = min(width, frame.shape[1])
    return (half_blocks if console.color_system else shades)(frame, width, height)


def numbers(observation: np.ndarray, width: int, height: int) -> Table:
    """The numbers of an observation with bars to the left and right of 0; of many, the first ones."""
    every = np.ravel(observation).astype(np.float64)
    first = every[: max(1, min(MOST_NUMBERS, height - 1))]
    largest = max(float(np.abs(first).max(initial=0)), 1.0)
    half = max((width - 14) // 2, 3)
    table = Table.grid(padding=(0, 1))
    for number in first:
        part = round(abs(number) / largest * half)
        left, right = (" " * (half - part) + "█" * part, "") if number < 0 else (" " * half, "█" * part)
        table.add_row(Text(f"{number:+.3g}", justify="right"), Text(f"{left}│{right}", style="cyan", no_wrap=True))
    if len(every) > len(first):
        table.add_row("", Text(f"and {len(every) - len(first):,} more numbers", style="dim"))
    return table


def panel(scene: Scene, trace: Trace, width: int, height: int) -> RenderableType:
    """What is known of the episode and of the search, in so many lines."""
    parts: list[RenderableType] = [Text(f"step {scene.step:,}    score {scene.score:g}", style="bold")]
    if scene.over:
        parts.append(Text(scene.ended, style="yellow"))
    else:
        who = "random opening: " if scene.opening else "plays " if scene.mine else "the other side plays "
        parts.append(Text(who + scene.action, style="cyan", no_wrap=True, overflow="ellipsis"))
        known = "" if scene.predicted is None else f"  expected {scene.predicted:+z.2f}"
        failed = Text("the environment failed: it begins again", style="red")
        parts.append(failed if scene.broken else Text(f"reward {scene.reward:g}{known}"))
    curve = known_values(trace, width, rewards=height >= 12)
    if scene.thoughts is not None:
        rows = max(2, min(ROWS, height - (11 if height >= 12 else 7)))
        parts += [table_of(scene.thoughts, width, rows)] if scene.thoughts.moves else []
        parts += [table_of_numbers(scene.thoughts, width, rows)] if scene.thoughts.numbers else []
    return Group(*parts, *curve)


def known_values(trace: Trace, width: int, rewards: bool) -> Iterator[Text]:
    """The values over time, and rewards with what was expected of them."""
    if finite(trace.values):
        values = list(trace.values)
        known = finite(values)
        yield Text(f"value {values[-1]:+z.2f}  from {min(known):+z.2f} to {max(known):+z.2f}", style="green")
        least = max((LEAST - (max(known) - min(known))) / 2, 0)
        yield Text(sparkline(values, width - 1, (min(known) - least, max(known) + least)), style="green")
    ends = [*finite(trace.rewards), *finite(trace.predictions)]
    if rewards and finite(trace.predictions) and max(map(abs, ends)) > RARE:
        yield Text("reward, and expected below", style="dim")
        for numbers_, style in ((trace.rewards, "yellow"), (trace.predictions, "blue")):
            yield Text(sparkline(list(numbers_), width - 1, (min(*ends, 0.0), max(*ends, 0.1))), style=style)


def sparkline(values: list[float], width: int, ends: tuple[float, float] | None = None) -> str:
    """The last values as a line of blocks of eight heights; a space where there is none."""
    shown = values[-width:]
    known = finite(shown)
    if not known:
        return ""
    low, high = ends or (min(known), max(known))
    span = max(high - low, 1e-9)
    return "".join(LEVELS[min(7, int(8 * (v - low) / span))] if math.isfinite(v) else " " for v in shown)


def table_of(thoughts: Thoughts, width: int, rows: int) -> Table:
    """The best moves: prior; of a search visits as numbers and bars, and value; of other planners their choice."""
    table = Table(box=None, padding=(0, 1, 0, 0), show_edge=False, header_style="dim")
    searched = thoughts.simulations > 0
    table.add_column("move", no_wrap=True, max_width=max(8, width - 30))
    table.add_column("prior", justify="right")
    if searched or thoughts.planned:
        table.add_column("visits" if searched else "planner", justify="right")
        table.add_column("")
    if searched:
        table.add_column("value", justify="right")
    longest = max((move.visits for move in thoughts.moves), default=1) or 1
    reach = max(3, min(12, width - 34))
    for move in chosen_first(thoughts)[:rows]:
        style = "bold cyan" if thoughts.chose(move) else ""
        row = [Text(move.name), Text(f"{move.prior:.0%}")]
        if searched:
            value = "" if move.value is None else f"{move.value:+z.2f}"
            row += [Text(str(move.visits)), Text(bar(move.visits / longest, reach)), Text(value)]
        elif thoughts.planned:
            row += [Text(f"{move.policy:.0%}"), Text(bar(move.policy, reach))]
        table.add_row(*row, style=style)
    if len(thoughts.moves) > rows:
        table.add_row(Text(f"{len(thoughts.moves) - rows} more", style="dim"))
    return table


def table_of_numbers(thoughts: Thoughts, width: int, rows: int) -> Table:
    """The numbers of an action between -1 and 1: what the network proposes (a line), and what is played (a block)."""
    table = Table(box=None, padding=(0, 1, 0, 0), show_edge=False, header_style="dim")
    reach = max(5, min(31, width - 26)) // 2 * 2 + 1
    for title in ("number", "network", f"{'-1':<{reach - 1}}1", "plays"):
        table.add_column(title, justify="left" if title.startswith("-") else "right", no_wrap=True)
    for number in thoughts.numbers[:rows]:
        scale = Text("·" * reach, style="dim")
        for value, sign in ((0.0, "+"), (number.network, "│"), (number.chosen, "█")):
            place = round((min(max(value, -1.0), 1.0) + 1) / 2 * (reach - 1))
            scale = Text.assemble(scale[:place], (sign, "cyan" if sign == "█" else ""), scale[place + 1 :])
        table.add_row(number.name, f"{number.network:+z.2f}", scale, Text(f"{number.chosen:+z.2f}", style="bold cyan"))
    if len(thoughts.numbers) > rows:
        table.add_row(Text(f"{len(thoughts.numbers) - rows} more", style="dim"))
    return table


def bar(share: float, width: int) -> str:
    """A bar of at most `width` characters, in eighths of one."""
    eighths = round(share * width * 8)
    return "█" * (eighths // 8) + BLOCKS[eighths % 8].strip()
