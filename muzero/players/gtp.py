"""Programs that speak the Go Text Protocol, version 2 (Farnebäck 2002): GNU Go, Pachi, KataGo, muzero-gtp, ..."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from muzero.games.vertices import actions, played, title, vertices
from muzero.interfaces import RESIGN, MemorylessPlayer, Moves, PlayerError, Positions, Rules
from muzero.players.engine import Engine, parts
from muzero.util.text import printable

COLOURS = ("black", "white")
SEED = "set_random_seed"  # of GNU Go
CLEANUP = "kgs-genmove_cleanup"
GAME = "gogui-rules_game_id"  # by which an engine says that it plays another game than Go
RECTANGULAR = "rectangular_boardsize"


class GtpPlayer(MemorylessPlayer):
    """An engine for Go, or for another game whose moves are points of the board, if the engine says that it plays it.

    Before every move it gets the whole game, so that its moves depend on the position alone.

    In Go OpenSpiel counts every stone on the board as alive when both players have passed (Tromp-Taylor rules).  An
    engine that would pass is therefore asked for a move that captures dead stones, if it has that command, before it
    passes.
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
            self._known = set(known.split())
            self._game = self._ask([GAME])[0].lower() if GAME in self._known else "go"
        self.title = f"{name} {version}".strip()

    def choose(self, positions: Positions) -> Moves:
        """Ask the engine for a move in each position, one after the other.

        Raises:
            PlayerError: if the engine plays another game, fails, or plays a move that is not legal.
        """
        if positions.rules is None:
            raise PlayerError("gtp: an engine needs the rules of the game, which this one does not offer")
        for game in {rules.game for rules in positions.rules}:
            if title(game).lower() != self._game:
                plays = "board/go(...)" if self._game == "go" else printable(self._game)
                raise PlayerError(f"gtp:{printable(self._engine.command)} plays {plays} only, not board/{game}")
        rows = zip(positions.rules, positions.seed, strict=True)
        chosen = [self._choose(rules, int(seed)) for rules, seed in rows]
        return Moves(np.array(chosen, np.int64), np.full(len(chosen), np.nan, np.float32))

    def _choose(self, rules: Rules, seed: int) -> int:
        colour, setup = COLOURS[rules.to_move], self._setup(rules)
        # Without a handicap the colours alternate, black first.
        moves = [f"{COLOURS[ply % 2]} {point.lower()}" for ply, point in enumerate(played(rules))]
        seeded = [f"{SEED} {seed % 2**31}"] if SEED in self._known else []
        setup += [*seeded, *self._settings, *(f"play {move}" for move in moves)]
        *_, answer = self._ask([*setup, f"genmove {colour}"])
        if answer.lower() == "pass" and CLEANUP in self._known:
            _, answer = self._ask(["undo", f"{CLEANUP} {colour}"])
        if answer.lower() == "resign":
            return RESIGN
        legal = actions(rules)
        if answer.upper() not in legal:
            raise self._engine.error(f"plays {printable(answer)!r}, which is not legal after {' '.join(moves)}")
        return legal[answer.upper()]

    def _setup(self, rules: Rules) -> list[str]:
        """Commands for an empty board of the game."""
        known = vertices(rules)
        if known is None:
            raise PlayerError(f"gtp: moves of board/{rules.game} with these parameters have no names in this protocol")
        if rules.parameters.get("handicap"):
            raise PlayerError("gtp: games with a handicap cannot be set up; leave handicap=0")
        columns, rows = known.size(rules)
        square = columns == rows or RECTANGULAR not in self._known
        size = f"boardsize {columns}" if square else f"{RECTANGULAR} {columns} {rows}"
        komi = [f"komi {rules.parameters['komi']:g}"] if rules.game == "go" else []
        return [size, "clear_board", *komi]

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
