"""Finished games as files that other programs read."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from muzero.evaluation.intervals import finite
from muzero.interfaces import Rules
from muzero.play.match import Outcome
from muzero.runs import json_lines

HISTORIES = "histories.jsonl"


class GameRecords:
    """The files of a folder: action histories of all games (JSON), of Go also SGF, of chess also PGN."""

    def __init__(self, folder: Path, game: str, start: Rules | None) -> None:
        """Make the folder if it is missing; files that are there are added to.

        Args:
            folder: of the files.
            game: "board/connect_four".
            start: the first position; None if the rules of the game cannot be consulted.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.game, self.start = folder, game, start

    def add(self, player: str, opponent: str, outcomes: Iterable[Outcome]) -> None:
        """Add finished games.

        Args:
            player: whose outcomes they are.
            opponent: of the player.
            outcomes: of the games.
        """
        rows = [(each, (player, opponent) if each.seat == 0 else (opponent, player)) for each in outcomes]
        json_lines.append(self.folder / HISTORIES, [history(self.game, each, players) for each, players in rows])
        if self.start is not None and self.start.game in FORMATS:
            suffix, written = FORMATS[self.start.game]
            self._append(f"games.{suffix}", [written(self.start, each, players) + "\n\n" for each, players in rows])

    def _append(self, name: str, texts: Sequence[str]) -> None:
        with (self.folder / name).open("a", encoding="utf-8") as file:
            file.writelines(texts)


def history(game: str, outcome: Outcome, players: Sequence[str]) -> dict[str, Any]:
    """One game as plain values; players: by seat.  Its actions bring every position back."""
    return {
        "game": game,
        "number": outcome.number,
        "players": list(players),
        "score_of_first": finite(first_score(outcome)),
        "opening": outcome.opening,
        "resigned": outcome.resigned,
        "actions": list(outcome.actions),
    }


def suffixes(start: Rules | None) -> list[str]:
    """The endings of files that `save` writes of a game, the most usual first."""
    return [*([f".{FORMATS[start.game][0]}"] if start is not None and start.game in FORMATS else []), ".jsonl"]


def save(file: Path, game: str, start: Rules | None, outcome: Outcome, players: Sequence[str]) -> None:
    """Add one game to a file, made if it is missing, in the format of its ending, see `suffixes`.

    Args:
        file: SGF, PGN or JSON lines.
        game: "board/connect_four".
        start: the first position; None if the rules of the game cannot be consulted.
        outcome: of the game; NaN as score says that it was not finished.
        players: by seat.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    if start is None or file.suffix == ".jsonl":
        row, rules = history(game, outcome, players), start
        if rules is not None:
            row["moves"] = []
            for action in outcome.actions:
                row["moves"].append(rules.name(action))
                rules = rules.child(action)
        json_lines.append(file, [row])
        return
    with file.open("a", encoding="utf-8") as output:
        output.write(FORMATS[start.game][1](start, outcome, players) + "\n\n")


def first_score(outcome: Outcome) -> float:
    """The score of the player who moved first; NaN of a game that was not finished."""
    return outcome.score if outcome.seat == 0 else 0.0 - outcome.score


def sgf(start: Rules, outcome: Outcome, players: Sequence[str]) -> str:
    """A game of Go in the Smart Game Format, FF[4]."""
    size, score = start.parameters["board_size"], first_score(outcome)
    how = "R" if outcome.resigned else ""
    result = "0" if score == 0 else "?" if math.isnan(score) else f"{'B' if score > 0 else 'W'}+{how}"
    rules, moves = start, []
    for action in outcome.actions:
        colour = "BW"[rules.to_move]
        row, column = divmod(action, size)
        # The first letter is the column, the second the row from the top; OpenSpiel counts rows from the bottom.
        point = "" if action == size * size else chr(97 + column) + chr(97 + size - 1 - row)
        moves.append(f";{colour}[{point}]")
        rules = rules.child(action)
    head = f"(;FF[4]GM[1]CA[UTF-8]SZ[{size}]KM[{start.parameters['komi']:g}]RU[Tromp-Taylor]"
    names = f"PB[{_escaped(players[0])}]PW[{_escaped(players[1])}]RE[{result}]"
    return head + names + f"C[{outcome.opening} random moves at the beginning]" + "".join(moves) + ")"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("]", "\\]")


def pgn(start: Rules, outcome: Outcome, players: Sequence[str]) -> str:
    """A game of chess in Portable Game Notation."""
    # OpenSpiel's player 1 has the white pieces, and moves first; outcomes are by who moves first.
    score = first_score(outcome)
    result = "*" if math.isnan(score) else {1: "1-0", 0: "1/2-1/2", -1: "0-1"}[int(score)]
    rules, words = start, []
    for ply, action in enumerate(outcome.actions):
        words += ([f"{ply // 2 + 1}."] if ply % 2 == 0 else []) + [rules.name(action)]
        rules = rules.child(action)
    tags = {"Event": "muzero", "Round": outcome.number, "White": players[0], "Black": players[1], "Result": result}
    tags["Termination"] = "unterminated" if math.isnan(score) else "resigned" if outcome.resigned else "normal"
    text = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": " "})
    head = "".join(f'[{key} "{str(value).translate(text)}"]\n' for key, value in tags.items())
    lines, line = [], ""
    for word in [*words, result]:
        if len(line) + len(word) > 78:
            lines, line = [*lines, line], ""
        line = f"{line} {word}".strip()
    return head + "\n" + "\n".join([*lines, line])


FORMATS: dict[str, tuple[str, Callable[[Rules, Outcome, Sequence[str]], str]]] = {
    "go": ("sgf", sgf),
    "chess": ("pgn", pgn),
}
"""Ending of the file and writer, by the name of the rules."""
