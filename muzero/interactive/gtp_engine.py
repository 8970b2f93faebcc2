"""An agent that speaks the Go Text Protocol, version 2 (Farnebäck 2002, draft 2), in any game of points on a board.

Other games than Go follow GoGui's extensions, `gogui-rules_...`, by which programs learn what is played.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence

import numpy as np

from muzero.config import ConfigError
from muzero.games.endings import ending, points
from muzero.games.vertices import PASS, Vertices, actions, cells, title, vertex, vertices
from muzero.interactive.live_game import LiveGame
from muzero.interactive.strength import Set, choose
from muzero.interfaces import NonFiniteError, Rules
from muzero.util.text import printable

COLOURS = {"black": 0, "b": 0, "white": 1, "w": 1}
NAMES = ("black", "white")
LONGEST = 1000  # characters of an answer to what cannot be done
UNSAFE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")  # control characters, which the protocol has removed


class Refused(Exception):
    """A command that cannot be carried out; the text is for the controller."""


class GtpEngine:
    """Answers commands, one line at a time.  Nothing that a controller sends ends it, but for `quit`."""

    def __init__(self, player: Set, version: str, resign_below: float = -math.inf, seed: int = 0) -> None:
        """Begin with an empty board.

        Args:
            player: the agent.
            version: of the program, as it is reported.
            resign_below: the value of a position, for the agent, below which it resigns.
            seed: of what the agent draws.

        Raises:
            ConfigError: if the agent's game has no names in this protocol.
        """
        self.over = False  # whether the controller asked to quit
        self._player, self._version, self._resign_below = player, version, resign_below
        self._game = LiveGame(player.agent)
        self._vertices = _required(self._game)
        self._rng = np.random.default_rng(seed)
        self._komi: float | None = None  # None: that of the rules
        self._turns: list[int] = []  # how many moves each `play` and `genmove` made; a pass may come first
        self._resigned: int | None = None  # who resigned
        self._commands = self._known()

    # --- protocol --------------------------------------------------------------------------------------------------

    def answer(self, line: str) -> str:
        """The answer to a line, with the empty line that ends it; empty for a line without a command."""
        words = UNSAFE.sub("", line.partition("#")[0].replace("\t", " ")).split()
        number = words.pop(0) if words and words[0].isdecimal() and words[0].isascii() else ""
        if not words:
            return f"?{number} no command\n\n" if number else ""
        try:
            mark, text = "=", self._obeyed(words[0], words[1:])
        except Refused as refusal:
            mark, text = "?", printable(str(refusal), LONGEST)
        except NonFiniteError as error:
            mark, text = "?", printable(f"the model fails: {error}", LONGEST)
        return f"{mark}{printable(number, 20)} {text}".rstrip() + "\n\n"

    def _known(self) -> dict[str, tuple[int, Callable[..., str]]]:
        """Commands by name: the number of words that each needs, and what carries it out."""
        known = {
            "protocol_version": (0, lambda: "2"),
            "name": (0, lambda: "muzero"),
            "version": (0, lambda: self._version),
            "known_command": (1, lambda name: str(name in self._commands).lower()),
            "list_commands": (0, lambda: "\n".join(self._commands)),
            "quit": (0, self._quit),
            "boardsize": (1, lambda size: self._size(size, size)),
            "rectangular_boardsize": (2, self._size),
            "clear_board": (0, self._clear),
            "komi": (1, self._set_komi),
            "play": (2, self._play),
            "genmove": (1, self._generate),
            "reg_genmove": (1, lambda colour: self._generate(colour, play=False)),
            "undo": (0, self._undo),
            "showboard": (0, lambda: "\n" + re.sub(r"\n\s*(?=\n)", "", self._rules.draw())),
            "final_score": (0, self._score),
            "time_settings": (3, self._time),
            "time_left": (3, self._time),
        }
        if self._vertices.drawn:  # GoGui shows grids
            known |= {
                "gogui-rules_game_id": (0, lambda: title(self._rules.game)),
                "gogui-rules_board": (0, self._board),
                "gogui-rules_board_size": (0, lambda: str(max(self._vertices.size(self._rules)))),
                "gogui-rules_legal_moves": (0, lambda: " ".join(self._legal())),
                "gogui-rules_side_to_move": (0, lambda: NAMES[self._game.to_move]),
                "gogui-rules_final_result": (0, lambda: self._result() if self._ended else ""),
            }
        else:
            known["gogui-rules_game_id"] = (0, lambda: title(self._rules.game))
        return known

    def _obeyed(self, name: str, words: Sequence[str]) -> str:
        if name not in self._commands:
            raise Refused("unknown command")
        needed, command = self._commands[name]
        if len(words) < needed:
            raise Refused(f"syntax error: {name} needs {needed} argument{'s' * (needed > 1)}, got {len(words)}")
        return command(*words[:needed])

    def _quit(self) -> str:
        self.over = True
        return ""

    def close(self) -> None:
        """Release what the game holds."""
        self._game.close()

    # --- the game --------------------------------------------------------------------------------------------------

    @property
    def _rules(self) -> Rules:
        rules = self._game.rules
        assert rules is not None  # checked when the engine was made
        return rules

    @property
    def _ended(self) -> bool:
        return self._game.over or self._resigned is not None

    def _legal(self) -> dict[str, int]:
        return {} if self._ended else {vertex(self._rules, action): action for action in self._rules.legal()}

    def _size(self, columns: str, rows: str) -> str:
        known = self._vertices.size(self._rules)
        given = tuple(int(text) if text.isdecimal() and len(text) < 6 else -1 for text in (columns, rows))
        # `boardsize 7` is all that most programs can say of a board of 7 columns and 6 rows.
        if given != known and given != (max(known), max(known)):
            raise Refused("unacceptable size")
        return self._clear()

    def _clear(self) -> str:
        self._game.restart(0)
        self._turns, self._resigned = [], None
        return ""

    def _set_komi(self, text: str) -> str:
        self._komi = _number(text)
        return ""

    def _time(self, *words: str) -> str:
        """Times are accepted and not used: a search takes as long as its simulations."""
        for word in words:
            if word.lower() not in COLOURS:
                _number(word)
        return ""

    def _play(self, colour: str, point: str) -> str:
        player = _colour(colour)
        if self._ended:
            raise Refused("illegal move: the game is over")
        if point.lower() == "resign":
            self._resigned = player
            self._turns.append(0)
            return ""
        passed = self._turn(player)
        legal = actions(self._rules)
        if point.upper() not in legal:
            self._game.take_back(passed)
            raise Refused("illegal move")
        self._game.play(legal[point.upper()])
        self._turns.append(1 + passed)
        return ""

    def _turn(self, player: int) -> int:
        """Give a player the turn, by a pass of the other if that is legal; returns the number of passes made."""
        if self._game.to_move == player:
            return 0
        legal = actions(self._rules)
        if PASS not in legal:
            raise Refused(f"illegal move: it is the turn of {NAMES[1 - player]}")
        self._game.play(legal[PASS])
        if self._game.over or self._game.to_move != player:
            self._game.take_back()
            raise Refused(f"illegal move: it is the turn of {NAMES[1 - player]}, whose pass would end the game")
        return 1

    def _generate(self, colour: str, play: bool = True) -> str:
        player = _colour(colour)
        if self._ended:
            raise Refused("the game is over")
        passed, kept = self._turn(player), False
        try:
            thoughts = self._game.think()
            if thoughts.value < self._resign_below:
                if play:
                    self._resigned, kept = player, True
                    self._turns.append(passed)
                return "resign"
            action = int(choose(thoughts, self._player.temperature if play else 0.0, self._rng))
            answer = vertex(self._rules, action)
            if play:
                self._game.play(action)
                self._turns.append(1 + passed)
                kept = True
            return answer
        finally:
            if not kept:
                self._game.take_back(passed)

    def _undo(self) -> str:
        if not self._turns:
            raise Refused("cannot undo")
        self._resigned = None
        self._game.take_back(self._turns.pop())
        return ""

    def _score(self) -> str:
        """The result as it stands, of games that count points; else of a finished game, as one point."""
        lead = points(self._rules, self._komi)
        if self._resigned is not None:
            return f"{'WB'[self._resigned]}+R"
        if lead is None:
            if not self._game.over:
                raise Refused("cannot score: the game is not over")
            lead = self._game.score
        return "0" if lead == 0 else f"{'B' if lead > 0 else 'W'}+{abs(lead):g}"

    def _result(self) -> str:
        """The result in words."""
        how = "by resignation" if self._resigned is not None else ending(self._rules)
        return f"{self._score()}{how and f' ({how})'}"

    def _board(self) -> str:
        """The board as GoGui shows it: the last row first."""
        rows = cells(self._rules)
        return "\n" + "\n".join(" ".join(row) for row in (rows[::-1] if self._vertices.downwards else rows))


def _required(game: LiveGame) -> Vertices:
    """How the points of a game are named.

    Raises:
        ConfigError: if they have no names.
    """
    found = None if game.rules is None else vertices(game.rules)
    if found is None:
        expected = "expected Go, Othello, Connect Four or another game in which a move is one point of a board"
        raise ConfigError([f"the Go Text Protocol has no names for the moves of {game.spec.name}; {expected}"])
    return found


def _colour(text: str) -> int:
    """0 of black, who moves first, 1 of white."""
    if text.lower() not in COLOURS:
        raise Refused(f"syntax error: {printable(text, 20)!r}; expected black or white")
    return COLOURS[text.lower()]


def _number(text: str) -> float:
    """A finite number."""
    if re.fullmatch(r"[-+]?\d{1,9}(\.\d{0,9})?", text):
        return float(text)
    raise Refused(f"syntax error: {printable(text, 20)!r}; expected a number")
