"""Go programs that speak the Go Text Protocol, version 2 (Farnebäck 2002): GNU Go, Pachi, KataGo, ..."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from muzero.interfaces import RESIGN, MemorylessPlayer, Moves, PlayerError, Positions, Rules
from muzero.players.engine import Engine, parts
from muzero.util.text import printable

COLOURS = ("black", "white")
SEED = "set_random_seed"  # of GNU Go
CLEANUP = "kgs-genmove_cleanup"


class GtpPlayer(MemorylessPlayer):
    """An engine for Go.  Before every move it gets the whole game, so that its moves depend on the position alone.

    OpenSpiel counts every stone on the board as alive when both players have passed (Tromp-Taylor rules).  An engine
    that would pass is therefore asked for a move that captures dead stones, if it has that command, before it passes.
    """

    def __init__(self, argument: str) -> None:
        """Start the engine.

        Args:
            argument: the engine's command, and GTP commands for every game: "gnugo --mode gtp --level 1; komi 5.5".

        Raises:
            PlayerError: if it cannot be started, or does not speak GTP.
        """
        command, self._settings = parts(argument)
        self._engine = Engine(command)
        with self._engine.closed_on_error():
            name, version, known = self._ask(["name", "version", "list_commands"])
        self.title = f"{name} {version}".strip()
        self._known = set(known.split())

    def choose(self, positions: Positions) -> Moves:
        """Ask the engine for a move in each position, one after the other.

        Raises:
            PlayerError: if the game is not Go, or the engine fails or plays a move that is not legal.
        """
        if positions.rules is None or any(rules.game != "go" for rules in positions.rules):
            raise PlayerError(f"gtp:{printable(self._engine.command)} plays board/go(...) only")
        rows = zip(positions.rules, positions.seed, strict=True)
        actions = [self._choose(rules, int(seed)) for rules, seed in rows]
        return Moves(np.array(actions, np.int64), np.full(len(actions), np.nan, np.float32))

    def _choose(self, rules: Rules, seed: int) -> int:
        size, komi = rules.parameters["board_size"], rules.parameters["komi"]
        if rules.parameters["handicap"]:
            raise PlayerError("gtp: games with a handicap cannot be set up; leave handicap=0")
        # Without a handicap the colours alternate, black first.
        moves = [f"{COLOURS[ply % 2]} {vertex(rules, action)}" for ply, action in enumerate(rules.history)]
        colour = COLOURS[rules.to_move]
        seeded = [f"{SEED} {seed % 2**31}"] if SEED in self._known else []
        setup = [f"boardsize {size}", "clear_board", f"komi {komi:g}", *seeded, *self._settings]
        *_, answer = self._ask([*setup, *(f"play {move}" for move in moves), f"genmove {colour}"])
        if answer.lower() == "pass" and CLEANUP in self._known:
            _, answer = self._ask(["undo", f"{CLEANUP} {colour}"])
        if answer.lower() == "resign":
            return RESIGN
        legal = {vertex(rules, action): action for action in rules.legal()}
        if answer.lower() not in legal:
            raise self._engine.error(f"plays {printable(answer)!r}, which is not legal after {' '.join(moves)}")
        return legal[answer.lower()]

    def _ask(self, commands: Sequence[str]) -> list[str]:
        """Send several commands at once and return their answers.

        Raises:
            PlayerError: naming the first command that failed.
        """
        self._engine.send(commands)
        answers = [self._answer() for _ in commands]
        for command, answer in zip(commands, answers, strict=True):
            if not answer.startswith("="):
                sent = ", ".join(each for each in commands if each.startswith(("boardsize", "play")))
                raise self._engine.error(f"refuses {command!r}: {printable(answer, 200)}; commands sent: {sent}")
        return [answer[1:].strip() for answer in answers]

    def _answer(self) -> str:
        """Read one answer, which begins with "=" or "?" and ends with an empty line.

        Raises:
            PlayerError: if the engine writes something else first.
        """
        lines: list[str] = []
        while not lines or lines[-1]:
            line = self._engine.line().strip()
            if lines or line.startswith(("=", "?")):
                lines.append(line)
            elif line:
                raise self._engine.error(f"does not speak GTP: it says {printable(line)!r}")
        return "\n".join(lines).strip()

    def close(self) -> None:
        """Ask the engine to quit, and kill its process if it does not."""
        self._engine.close()


def vertex(rules: Rules, action: int) -> str:
    """A point as GTP writes it, "e5" or "pass"; OpenSpiel writes "B e5"."""
    return rules.name(action).split()[1].lower()
