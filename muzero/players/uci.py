"""Chess programs that speak the Universal Chess Interface: Stockfish, ..."""

from __future__ import annotations

import itertools

import numpy as np

from muzero.games.board_rules import BoardRules
from muzero.interfaces import MemorylessPlayer, Moves, PlayerError, Positions, Rules
from muzero.players.engine import Engine, parts
from muzero.util.text import printable

GO = "go nodes 1000"  # not a time: the same position gives the same move


def _seconds(go: str) -> float:
    """The thinking time that a command such as "go movetime 5000" asks for; 0 where it asks for none."""
    words = go.split()
    given = [after for word, after in itertools.pairwise(words) if word == "movetime" and after.isdecimal()]
    return int(given[0]) / 1000 if given else 0.0


class UciPlayer(MemorylessPlayer):
    """An engine for chess.  It forgets all games before every move, so that its moves depend on the position alone."""

    def __init__(self, argument: str) -> None:
        """Start the engine.

        Args:
            argument: the engine's command, and UCI commands: "stockfish; go depth 4; setoption name Hash value 64".

        Raises:
            PlayerError: if it cannot be started, or does not speak UCI.
        """
        command, more = parts(argument)
        self._go = next((each for each in reversed(more) if each.split()[0] == "go"), GO)
        if "infinite" in self._go:
            raise PlayerError(f"uci:{printable(argument)}: '{self._go}' has no end; give nodes, depth or movetime")
        self._engine = Engine(command)
        self._engine.patience += _seconds(self._go)
        with self._engine.closed_on_error():
            self.title = self._greet([each for each in more if each.split()[0] != "go"]) or command

    def _greet(self, options: list[str]) -> str | None:
        """Exchange the first commands and set options; returns the engine's name."""
        self._engine.send(["uci"])
        greeting = self._until("uciok")
        self._engine.send([*options, "isready"])
        for line in self._until("readyok"):
            if line.lower().startswith(("no such option", "unknown", "error")):
                raise self._engine.error(f"answers {printable(line)!r}")
        return next((line[8:].strip() for line in greeting if line.startswith("id name")), None)

    def choose(self, positions: Positions) -> Moves:
        """Ask the engine for a move in each position, one after the other.

        Raises:
            PlayerError: if the game is not chess, or the engine fails or plays a move that is not legal.
        """
        actions = [self._choose(rules) for rules in positions.rules or [None] * len(positions.legal)]
        return Moves(np.array(actions, np.int64), np.full(len(actions), np.nan, np.float32))

    def _choose(self, rules: Rules | None) -> int:
        if not isinstance(rules, BoardRules) or rules.game != "chess":
            raise PlayerError(f"uci:{printable(self._engine.command)} plays board/chess only")
        start, played, legal = rules.long_algebraic()
        moves = " ".join(played)
        position = f"position fen {start}" + (f" moves {moves}" if moves else "")
        self._engine.send(["ucinewgame", "isready"])
        self._until("readyok")
        self._engine.send([position, self._go])
        answer = self._until("bestmove")[-1].split()
        if len(answer) < 2 or answer[1] not in legal:
            raise self._engine.error(f"says {printable(' '.join(answer))!r}, which is not a legal move after {moves}")
        return legal[answer[1]]

    def _until(self, word: str) -> list[str]:
        """Read lines up to the one that begins with a word, and return them."""
        lines = [self._engine.line()]
        while lines[-1].split()[:1] != [word]:
            lines.append(self._engine.line())
        return lines

    def close(self) -> None:
        """Ask the engine to quit, and kill its process if it does not."""
        self._engine.close()
