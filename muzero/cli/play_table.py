"""Games of a person against an agent at the terminal: what is shown, asked and answered."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from rich.console import Console

from muzero.cli import person, thoughts_view
from muzero.cli.board_view import board
from muzero.cli.tables import say, say_wrapped
from muzero.evaluation.game_records import save
from muzero.games.notation import Typed
from muzero.interactive.duel import Duel
from muzero.util.text import escaped, nearest, shell_word

AGAIN = {"yes": "yes", "y": "yes", "": "yes", "swap": "swap", "s": "swap", "undo": "undo", "no": "no", "n": "no"}
AGAIN |= {"q": "no", "quit": "no"}
THINKING = "thinking ..."
HELP = """\
type a move by its number or its name; simpler forms work, too: 0,1 for x(0,1), d for column 3 of Connect Four
  undo    take back your last move and what the agent answered
  hint    what the agent would play in your place
  think   what the agent thinks of each move
  board   show the board again
  moves   list the legal moves
  help    show this list
  resign  give the game up
  quit    end without a result (as Ctrl-D and Ctrl-C do)"""


class Left(Exception):
    """The person ends the game without a result."""


class Table:
    """Where a person sits opposite an agent."""

    def __init__(self, console: Console, duel: Duel, name: str, file: Path | None) -> None:
        """Sit down.

        Args:
            console: of the terminal.
            duel: the game.
            name: of the agent, as the person gave it.
            file: where games are saved; None: nowhere.
        """
        self.console, self.duel, self.name, self.file = console, duel, name, file
        self.scores: list[float] = []  # of the finished games
        self._number = 0  # of the game
        self._counted = True  # the game that is on the board, or none was begun
        self._commands: dict[str, Callable[[], bool]] = {
            "undo": self._undo,
            "hint": self._hint,
            "think": self._think,
            "board": self._show,
            "moves": self._moves,
            "help": self._help,
            "resign": self._resign,
            "quit": self._quit,
            "q": self._quit,
        }
        reconfigure = getattr(sys.stdin, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")  # bytes that are not text become a move that is not legal

    def games(self, seat: str) -> None:
        """Play until the person has enough.  seat: "first", "second" or "both", in turn."""
        place = 1 if seat == "second" else 0
        try:
            while True:
                self._begin(place)
                while (wish := self._played()) == "undo":
                    pass
                if wish == "no":
                    break
                place = 1 - place if (wish == "swap") != (seat == "both") else place
        except Left:
            say(self.console, "you left the game: it does not count")
        self._close()

    def interrupted(self) -> None:
        """Say that Ctrl-C ended the game, and keep what there is of it."""
        self.console.print()
        under_way = not self.duel.over and self.duel.game.actions
        say(self.console, "interrupted" + (": the game that was under way does not count" if under_way else ""))
        self._close()

    def _close(self) -> None:
        """Keep what there is of the last game, and say how the games ended."""
        self._count()
        if text := person.tally(self.scores):
            say(self.console, text)
        if self.file is not None and self.file.exists():
            say(self.console, f"games are in {shell_word(self.file)}")

    # --- a game ----------------------------------------------------------------------------------------------------

    def _begin(self, seat: int) -> None:
        self.duel.begin(seat)
        self._number, self._counted = self._number + 1, False
        self.console.print()
        game = self.duel.game.spec.name
        title = f"game {self._number} of {game} against {self.name}: {person.seated(self.duel.start, seat)}"
        say_wrapped(self.console, title)
        if self._number == 1:
            say_wrapped(self.console, f"the agent {self.duel.player.words}; type help for what you can do")
            say_wrapped(self.console, f"moves: {self._typed().listed()}")

    def _played(self) -> str:
        """Play the game to its end; returns what the person wants then: "yes", "swap", "undo" or "no"."""
        self._show()
        while not self.duel.over:
            if self.duel.mine:
                while not self._moved():
                    pass
            else:
                name = self._answered()
                self.console.print()
                say(self.console, f"{self.name} plays {name}")
                self._show()
        self._end()
        wish = self._again()
        if wish == "undo":
            self.duel.undo()
            return wish
        self._count()
        return wish

    def _answered(self) -> str:
        """The agent's move; a terminal shows meanwhile that it thinks."""
        live = self.console.is_terminal
        if live:
            print(THINKING, end="\r", flush=True)
        try:
            return self.duel.answer()
        finally:
            if live:
                print(" " * len(THINKING), end="\r", flush=True)

    def _moved(self) -> bool:
        """Ask the person once; whether that made a move or ended the game."""
        text = self._ask("your move: ")
        if text is None:
            raise Left
        typed = self._typed()
        action = typed.action(text)
        if action is not None:
            self.duel.play(action)
            if self.duel.mine or self.duel.over:  # else the agent's answer is shown with it
                self._show()
            return True
        if text.lower() in self._commands:
            return self._commands[text.lower()]()
        if text:
            close = typed.near(text) or next(iter(nearest(text, list(self._commands)[:-1])), None)
            hint = f"did you mean {close}?" if close else "type moves or help"
            say_wrapped(self.console, f"'{escaped(text[:60])}' is not a legal move; {hint}")
        return False

    def _end(self) -> None:
        duel = self.duel
        self.console.print()
        text = person.ended(duel.score, self.name, len(duel.game.actions), duel.resigned, duel.game.rules)
        say(self.console, text, style=None if self.console.no_color else "bold")
        say_wrapped(self.console, f"moves: {' '.join(duel.game.played) or 'none'}")

    def _again(self) -> str:
        """What the person wants after a game."""
        while True:
            text = self._ask("again? yes, swap seats, undo the last move, no: ")
            if text is None:
                return "no"
            words = text.lower().split()
            word = words[0] if words else ""
            if word in AGAIN:
                return AGAIN[word]
            close = nearest(word, ("yes", "swap", "undo", "no"))
            say(
                self.console, f"'{escaped(text[:60])}': " + (f"did you mean {close[0]}?" if close else "type yes or no")
            )

    def _count(self) -> None:
        """Count the game if it has ended, and add it to the file; once."""
        if self._counted:
            return
        self._counted = True
        if self.duel.over:
            self.scores.append(self.duel.score)
        if self.file is not None and self.duel.game.actions:
            players = ["human", self.name] if self.duel.seat == 0 else [self.name, "human"]
            save(self.file, self.duel.game.spec.name, self.duel.start, self.duel.outcome(self._number), players)

    # --- commands, each of which says whether the person's turn is over ---------------------------------------------

    def _undo(self) -> bool:
        count = self.duel.undo()
        if not count:
            say(self.console, "you have not moved yet: there is nothing to take back")
            return False
        say(self.console, f"took back {count} move{'s' * (count != 1)}")
        return self._show()

    def _hint(self) -> bool:
        thoughts = self.duel.game.think()
        name = self.duel.game.legal[int(thoughts.action)]
        say(self.console, f"the agent would play {name} here ({thoughts.value:+.2f}; +1 is a win, -1 a loss)")
        return False

    def _think(self) -> bool:
        game = self.duel.game
        thoughts_view.show(self.console, game.think(), game.rules, self.duel.side(game.to_move))
        return False

    def _show(self) -> bool:
        rules, before = self.duel.game.rules, self.duel.board_before
        if rules is None or before is None:
            seen = np.array2string(self.duel.game.now.observation[0], precision=3, suppress_small=True)
            say(self.console, f"you see: {seen}")
        else:
            self.console.print(board(self.console, before, rules), soft_wrap=True)
        return False

    def _moves(self) -> bool:
        say_wrapped(self.console, f"moves: {self._typed().listed()}")
        return False

    def _help(self) -> bool:
        for line in HELP.split("\n"):
            say(self.console, line)
        return False

    def _resign(self) -> bool:
        self.duel.resigned = True
        return True

    def _quit(self) -> bool:
        raise Left

    # --- the keyboard ----------------------------------------------------------------------------------------------

    def _typed(self) -> Typed:
        return Typed(self.duel.game.legal, self.duel.game.rules)

    def _ask(self, prompt: str) -> str | None:
        """What the person types, without spaces around it; None at the end of the input."""
        try:
            text = input(prompt).strip()
        except (EOFError, RuntimeError):  # the input has ended, or was closed before the program began
            self.console.print()
            return None
        if not sys.stdin.isatty():
            say(self.console, text)  # so that a record of the game can be read
        return text
