"""Finished games as files that other programs read."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from muzero.play.match import Outcome

HISTORIES = "histories.jsonl"
Players = tuple[str, str]  # first seat, second seat


def save(folder: Path, game: str, player: str, opponent: str, outcomes: Iterable[Outcome]) -> None:
    """Add games to the files of a folder: histories of actions for all games, SGF for Go, PGN for chess.

    Args:
        folder: made if it is missing.
        game: "board/connect_four".
        player: whose outcomes they are.
        opponent: of the player.
        outcomes: of the games.
    """
    folder.mkdir(parents=True, exist_ok=True)
    kind, _, name = game.partition("/")
    rows = [(outcome, (player, opponent)[:: 1 if outcome.seat == 0 else -1]) for outcome in outcomes]
    with (folder / HISTORIES).open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(history(game, outcome, players)) + "\n" for outcome, players in rows)
    short = name.partition("(")[0]
    if kind == "board" and short in FORMATS:
        from muzero.games import board

        spiel = board.load(name)
        suffix, written = FORMATS[short]
        with (folder / f"games.{suffix}").open("a", encoding="utf-8") as file:
            file.writelines(written(spiel, outcome, players) + "\n\n" for outcome, players in rows)


def history(game: str, outcome: Outcome, players: Sequence[str]) -> dict[str, Any]:
    """One game as plain values; its actions are OpenSpiel's, so that its states can be brought back."""
    return {
        "game": game,
        "number": outcome.number,
        "players": list(players),
        "score_of_first": first_score(outcome),
        "opening": outcome.opening,
        "resigned": outcome.resigned,
        "actions": list(outcome.actions),
    }


def first_score(outcome: Outcome) -> float:
    """To whoever moved first."""
    return outcome.score if outcome.seat == 0 else 0.0 - outcome.score


def sgf(game: Any, outcome: Outcome, players: Sequence[str]) -> str:
    """A game of Go in the Smart Game Format, FF[4]."""
    rules = game.get_parameters()
    size, score = rules["board_size"], first_score(outcome)
    how = "R" if outcome.resigned else ""
    result = "0" if score == 0 else f"{'B' if score > 0 else 'W'}+{how}"
    state, moves = game.new_initial_state(), []
    for action in outcome.actions:
        colour = "BW"[state.current_player()]
        row, column = divmod(action, size)
        # The first letter is the column, the second the row from the top; OpenSpiel counts rows from the bottom.
        point = "" if action == size * size else chr(97 + column) + chr(97 + size - 1 - row)
        moves.append(f";{colour}[{point}]")
        state.apply_action(action)
    head = f"(;FF[4]GM[1]CA[UTF-8]SZ[{size}]KM[{rules['komi']:g}]RU[Tromp-Taylor]"
    names = f"PB[{_escaped(players[0])}]PW[{_escaped(players[1])}]RE[{result}]"
    return head + names + f"C[{outcome.opening} random moves at the beginning]" + "".join(moves) + ")"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("]", "\\]")


def pgn(game: Any, outcome: Outcome, players: Sequence[str]) -> str:
    """A game of chess in Portable Game Notation."""
    # OpenSpiel's player 1 has the white pieces, and moves first; outcomes are by who moves first.
    result = {1: "1-0", 0: "1/2-1/2", -1: "0-1"}[int(first_score(outcome))]
    state, words = game.new_initial_state(), []
    for ply, action in enumerate(outcome.actions):
        words += ([f"{ply // 2 + 1}."] if ply % 2 == 0 else []) + [state.action_to_string(action)]
        state.apply_action(action)
    tags = {"Event": "muzero", "Round": outcome.number, "White": players[0], "Black": players[1], "Result": result}
    tags["Termination"] = "resigned" if outcome.resigned else "normal"
    text = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": " "})
    head = "".join(f'[{key} "{str(value).translate(text)}"]\n' for key, value in tags.items())
    lines, line = [], ""
    for word in [*words, result]:
        if len(line) + len(word) > 78:
            lines, line = [*lines, line], ""
        line = f"{line} {word}".strip()
    return head + "\n" + "\n".join([*lines, line])


FORMATS: dict[str, tuple[str, Callable[[Any, Outcome, Sequence[str]], str]]] = {
    "go": ("sgf", sgf),
    "chess": ("pgn", pgn),
}
