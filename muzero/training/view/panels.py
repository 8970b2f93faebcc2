"""The parts of a dashboard: each is drawn into the columns and lines that it gets."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size
from rich.console import Console, ConsoleOptions, RenderResult
from rich.panel import Panel
from rich.text import Text

from muzero.training.progress import clock
from muzero.training.status import Status
from muzero.training.view.bottleneck import limit
from muzero.training.view.chart import chart, short, sparkline
from muzero.training.view.history import History
from muzero.training.view.shown_game import Shown
from muzero.util.text import escaped

COLOURS = {"play": "cyan", "learn": "green", "evaluate": "yellow", "save": "magenta", "wait": "red", "rest": "dim"}
HEALTH = {  # shown of what is measured, and how
    "policy_entropy": ("undecided policy", "{:.0%}"),
    "value_explained": ("returns explained", "{:.0%}"),
    "search_gain": ("search moves policy", "{:.3f}"),
    "value_drift": ("imagined values off", "{:.0%}"),
    "replay_age_share": ("age of the replay", "{:.0%}"),
}
VALUES = 22  # columns of a figure in words, with its curve


@dataclass
class View:
    """All that a dashboard shows."""

    title: str
    where: str  # the run is
    status: Status
    left: float | None  # seconds
    rates: Mapping[str, float]
    spent: Mapping[str, float]  # shares of the time
    history: History
    shown: Shown | None
    silence: str  # why no game is shown; empty where one is, or will be
    said: Sequence[str]  # warnings and other messages, the newest last
    note: str = ""  # an evaluation under way
    two_player: bool = False


class Fitted:
    """A part that is drawn when its place is known."""

    def __init__(self, draw: Callable[[int, int, bool], Text]) -> None:
        """draw: gets columns, lines, and whether there are colours; what it returns is cut to them."""
        self.draw = draw

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        height = options.height or options.max_height
        drawn = self.draw(options.max_width, height, console.color_system is not None)
        for line in drawn.split("\n", allow_blank=True)[:height]:
            line.no_wrap, line.overflow = True, "crop"
            line.truncate(options.max_width, overflow="ellipsis")
            yield line


def framed(title: str, draw: Callable[[int, int, bool], Text]) -> Panel:
    """A part with a frame."""
    return Panel(Fitted(draw), title=Text(title, "bold"), title_align="left", border_style="blue", padding=(0, 1))


def titled(title: str, draw: Callable[[int, int, bool], Text]) -> Fitted:
    """A part with a title above it and no frame, where there are few lines."""

    def whole(width: int, height: int, colour: bool) -> Text:
        if height < 2:
            return draw(width, height, colour)
        rule = Text(f"── {title} ".ljust(width, "─"), "blue")
        return Text("\n").join([rule, draw(width, height - 1, colour)])

    return Fitted(whole)


def head(view: View, width: int, height: int, colour: bool) -> Text:
    """The name of the run, how much of it is done, and when it ends."""
    status = view.status
    ends = f"{clock(view.left)} left" if view.left is not None else "time left: not known yet"
    done = f"{status.steps:,} of {status.goal:,} {status.unit}"
    done += f"  {status.updates:,} updates" if status.unit == "steps" else ""
    facts = [done, f"{clock(status.seconds)} so far", ends]
    line = "  ".join(facts)
    fitting = [name for name in (f"{view.title}, {view.where}", view.title) if cell_len(f"{name}  {line}") <= width]
    if fitting:
        line = f"{fitting[0]}  {line}"
    elif cell_len(line) > width:
        line = f"{short(status.steps)} of {short(status.goal)} {status.unit}  {ends}"
    text = Text(line, "bold")
    if height > 1:
        filled = round(status.done * (width - 5))
        bar = Text("━" * filled, "green") + Text("━" * (width - 5 - filled), "bright_black")
        text = text + Text("\n") + bar + Text(f" {status.done:4.0%}")
    return text


def scores(view: View, width: int, height: int, colour: bool) -> Text:
    """The curve of the scores, with the newest ones named."""
    status = view.status
    exploring = "-" if status.score is None else short(status.score)
    who = "first player, exploring" if view.two_player else "exploring"
    greedy = "-" if status.greedy is None else short(status.greedy.mean)
    legend = Text.assemble(("⠒ ", "cyan"), f"{who} {exploring}  ", ("● ", "bold yellow"), f"greedy {greedy}")
    more = ["" if status.length is None else f"{short(status.length)} steps a game", status.comparison]
    for part in filter(None, more):
        if cell_len(legend.plain) + 2 + cell_len(part) <= width:
            legend.append(f"  {part}")
    return legend + Text("\n") + chart(view.history.exploring, view.history.greedy, width, height - 1)


def figures(view: View, width: int, height: int, colour: bool) -> Text:
    """Losses, other figures of an update, and the health, with their curves where there is room."""
    status, history = view.status, view.history
    groups = {"loss": [], "other": [], "health": []}
    for name, value in status.losses.items():
        groups["loss" if name in status.terms else "other"].append((name, short(float(value)), name))
    for name, (title, form) in HEALTH.items():
        if (key := f"health/{name}") in status.counters:
            groups["health"].append((title, form.format(status.counters[key]).replace("-0%", "0%"), key))
    if not any(groups.values()):
        return Text(f"Nothing is learned before {status.start:,} steps.", "dim")
    every = [("loss " * (group == "loss") + name, value, key) for group in groups for name, value, key in groups[group]]
    columns = max(width // (VALUES + 16), 1)
    if len(every) > height * columns:  # short: as words, one after another
        return flowing([f"{name} {value}" for name, value, _ in every], width)
    across = width // columns
    rows = -(-len(every) // columns)
    text = Text()
    for row in range(rows):
        for name, value, key in every[row::rows]:
            curve = sparkline(list(history.figures.get(key, ())), across - VALUES - 10)
            text.append(set_cell_size(name, VALUES - 2))
            text.append(f"{value:>8} ", "bold")
            text.append(set_cell_size(f" {curve}", across - VALUES - 7), "cyan")
        text.append("\n")
    text.rstrip()
    return text


def times(view: View, width: int, height: int, colour: bool) -> Text:
    """What the time goes into, rates, and what limits the run."""
    spent = {name: share for name, share in view.spent.items() if share >= 0.005}
    words = {"play": "waiting for games" if view.status.apart else "playing", "rest": "storing and the rest"}
    bar, used = Text(), 0
    for number, (name, share) in enumerate(spent.items()):
        cells = width - used if number == len(spent) - 1 else min(round(share * width), width - used)
        bar.append("█" * cells if name != "rest" else "░" * cells, COLOURS.get(name, "white"))
        used += cells
    named = [f"■ {words.get(name, NAMES.get(name, name))} {share:.0%}" for name, share in spent.items()]
    rates = [f"{rate:,.0f} {name}" for name, rate in view.rates.items() if rate >= 0.5]
    legend = flowing([*named, *rates], width)
    for name in spent:
        word = words.get(name, NAMES.get(name, name))
        legend.highlight_regex(f"■(?= {word})", COLOURS.get(name, "white"))
    limits = [textwrap.wrap(text, width) for text in limit(view.status, view.spent)]
    lines = list(legend.split("\n"))
    if height == 1:
        return Text(limits[0][0])
    if len(lines) + len(limits[0]) > height:  # what limits the run says more than shares do
        lines = lines[: height - min(len(limits[0]), height - 1)]
    elif len(lines) + len(limits[0]) < height:
        lines.insert(0, bar)
    lines += [Text(line) for line in limits[0]]
    if len(lines) + len(limits[1]) <= height:
        lines += [Text(line, "italic") for line in limits[1]]
    return Text("\n").join(lines)


NAMES = {"learn": "learning", "evaluate": "evaluating", "save": "saving", "wait": "waiting for the disk"}


def messages(view: View, width: int, height: int, colour: bool) -> Text:
    """The newest warnings and messages, whole where they fit."""
    if not view.said and not view.note:
        return Text("No warnings.", "dim")
    lines: list[Text] = [Text(view.note, "bold")] if view.note else []
    for message in reversed(view.said):
        wrapped = textwrap.wrap(escaped(message), width)
        if lines and len(lines) + len(wrapped) > height:
            break
        style = "yellow" if message.startswith("warning") else ""
        lines += [Text(line, style) for line in wrapped]
    if len(lines) > height:
        lines = lines[:height]
        lines[-1].truncate(max(width - 4, 1))
        lines[-1].append(" ...")
    return Text("\n").join(lines)


def flowing(words: Sequence[str], width: int, between: str = "  ") -> Text:
    """Words in lines, none of which is broken."""
    lines = [""]
    for word in words:
        joined = f"{lines[-1]}{between}{word}" if lines[-1] else word
        if cell_len(joined) <= width:
            lines[-1] = joined
        else:
            lines.append(word)
    return Text("\n".join(lines))
