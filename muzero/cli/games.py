"""The command muzero-games: lists what can be played."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from muzero.cli.exits import guarded
from muzero.cli.parser import Parser
from muzero.util.text import nearest, printable

if TYPE_CHECKING:
    from muzero.games.registry import Group

WIDEST = 100  # columns of a paragraph of names
REASON = 160  # characters of the reason why a game cannot be played


def games_command(arguments: Sequence[str] | None = None) -> int:
    """Run muzero-games and return its exit code."""
    parser = Parser(prog="muzero-games", description="List what can be played here.")
    parser.add_argument("words", nargs="*", metavar="WORD", help="list only names that contain one of these words")
    options = parser.parse_args(arguments)
    from muzero.games.registry import Group, listing
    from muzero.runs import zoo

    groups = listing() | {zoo.ZOO: Group("trained agents: muzero-eval zoo/NAME", zoo.names(), {})}
    lines = matching(groups, options.words) if options.words else overview(groups)
    print("\n".join(lines))
    return 0


def overview(groups: Mapping[str, Group]) -> list[str]:
    """All names that can be played, in a paragraph for each kind."""
    lines = []
    for kind, group in groups.items():
        lines += [f"{kind}/  {group.about}"]
        lines += paragraph([name for name in group.names if name not in group.continuous])
        if group.continuous:
            lines += ["  with continuous actions:", *paragraph(group.continuous)]
        whole = [reason for name, reason in group.missing.items() if name == f"{kind}/..."]
        lines += [f"  {reason}" for reason in whole]
        if group.missing and not whole:
            lines.append(f"  {len(group.missing)} more cannot be played here; muzero-games {kind}/WORD says why")
        lines.append("")
    return lines[:-1]


def matching(groups: Mapping[str, Group], words: Sequence[str]) -> list[str]:
    """The names that contain a word, one in a line, and the reasons where a name cannot be played."""

    def found(names: Iterable[str]) -> list[str]:
        return [name for name in names if any(word.lower() in name.lower() for word in words)]

    good = [name for group in groups.values() for name in found(group.names)]
    continuous = {name for group in groups.values() for name in group.continuous}
    missing = {name: reason for group in groups.values() for name, reason in group.missing.items()}
    bad = found(missing)
    unlisted = [name for name in missing if name.endswith("/...") and name not in bad and not good]
    lines = [f"{name}  has continuous actions" if name in continuous else name for name in good]
    if not good:
        lines = [f"nothing that can be played here matches {' or '.join(printable(word) for word in words)}"]
    if not good and not bad:
        close = [name for word in words for name in nearest(word, _short(groups), 3)]
        lines += [f"nearest: {', '.join(_short(groups)[name] for name in close)}"] if close else []
        lines.append("muzero-games without a word lists everything")
    return lines + [f"{name}  cannot be played here: {printable(missing[name], REASON)}" for name in bad + unlisted]


def paragraph(names: Sequence[str]) -> list[str]:
    """Names in lines as wide as the terminal, none of them broken."""
    width = min(shutil.get_terminal_size().columns, WIDEST)
    # Not break_on_hyphens: names of environments have them.
    text = textwrap.fill("  ".join(names), width, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False)
    return text.split("\n") if names else []


def _short(groups: Mapping[str, Group]) -> dict[str, str]:
    """Whole names by names without the kind."""
    names = [name for group in groups.values() for name in [*group.names, *group.missing] if not name.endswith("/...")]
    return {name.partition("/")[2]: name for name in names}


main = guarded(games_command)
