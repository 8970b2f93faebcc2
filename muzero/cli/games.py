"""muzero-games."""

from __future__ import annotations

from collections.abc import Sequence

from muzero.cli.exits import guarded
from muzero.cli.parser import Parser


def games_command(arguments: Sequence[str] | None = None) -> int:
    """muzero-games."""
    parser = Parser(prog="muzero-games", description="List what can be played here.")
    parser.add_argument("words", nargs="*", help="show only names that contain one of these")
    options = parser.parse_args(arguments)
    from muzero.games.registry import playable

    for kind, names in playable().items():
        if isinstance(names, str):
            print(f"{kind}/...  {names}")
            continue
        for name in names:
            line = f"{kind}/{name}"
            if not options.words or any(word in line for word in options.words):
                print(line)
    return 0


main = guarded(games_command)
