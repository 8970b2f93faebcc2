"""Board games by OpenSpiel: two-player zero-sum games and puzzles, of perfect information and without chance."""

from __future__ import annotations

import functools
import importlib
import re
from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np

from muzero.actions import Discrete
from muzero.config.schema import Range
from muzero.games.batched import BatchedGames
from muzero.games.board_rules import BoardRules, Observer, shape_of
from muzero.games.checks import check_size
from muzero.games.errors import UnknownGame, unknown
from muzero.games.one_game import OneGame
from muzero.games.symmetries import find
from muzero.interfaces import GameSpec, Symmetries
from muzero.util.extras import need

ALTERNATING = {
    "antichess",
    "breakthrough",
    "chess",
    "clobber",
    "connect_four",
    "crazyhouse",
    "go",
    "gomoku",
    "havannah",
    "hex",
    "lines_of_action",
    "mnk",
    "nim",
    "othello",
    "othello_6x6",
    "oware",
    "pentago",
    "shogi",
    "tic_tac_toe",
    "twixt",
    "xiangqi",
    "y",
}
"""Games in which the turn passes at every move by the rules, where passing counts as a move."""

LARGEST_PARAMETER = 1000  # OpenSpiel allocates what a parameter says, and a negative size can end the process
PARAMETER = re.compile(r"(\w+)\s*=")
WHOLE_NUMBER = re.compile(r"(?<![\w.])[-+]?\d+(?![\w.])")


class BoardGames(BatchedGames):
    """B games of OpenSpiel; name: as OpenSpiel writes it, "go(board_size=9)".

    The observation is OpenSpiel's tensor and the number of the player to move: one more plane where the tensor is
    [C, H, W], otherwise one more number at the end of a row.  Some games show the board from the side of the player to
    move, others always from the same side; with the number, either is complete.  Puzzles have one player and no number.

    `spec.discounts` is (-discount, 0) only for the games of `ALTERNATING`.  Other two-player games get
    (-discount, 0, discount): no trial shows that a player can never move twice, and a value that does not occur costs
    a model next to nothing.
    """

    def __init__(
        self,
        name: str,
        batch: int,
        training: bool,
        frames: bool = False,
        *,
        discount: Annotated[float, Range(0.001, 1)] = 1.0,
        random_plies: Annotated[int, Range(0)] = 0,
    ) -> None:
        """Training and evaluation play the same game, but for the first moves.

        Args:
            name: of the game, with its parameters.
            batch: B.
            training: whether games begin with random moves.
            frames: has no effect: boards are drawn from their rules.
            discount: the discount of a step that does not end the game, without the sign of the turn.
            random_plies: in training, games begin after 0 to this number of uniformly random moves, which are not
                shown.

        Raises:
            UnknownGame: if there is no such game, it is of a kind that cannot be played here, or too large.
            MissingExtra: if OpenSpiel is not installed.
        """
        game = load(name)
        if game.num_players() == 1:
            discounts = (0.0, discount)
        elif game.get_type().short_name in ALTERNATING:
            discounts = (-discount, 0.0)
        else:
            discounts = (-discount, 0.0, discount)
        spec = GameSpec(
            name=f"board/{name}",
            observation=shape_of(game),
            dtype="float32",
            actions=Discrete(game.num_distinct_actions()),
            discounts=discounts,
            returns=(game.min_utility(), game.max_utility()),
            max_steps=game.max_game_length(),
        )
        check_size(spec)  # before boards are allocated
        plies = min(random_plies, game.max_game_length() - 1) if training else 0
        super().__init__(spec, [_Board(game, discount, plies) for _ in range(batch)])


def names() -> list[str]:
    """The games that can be played; most take parameters too, such as "go(board_size=9)"."""
    return [name for name, reason in all_names().items() if not reason]


def all_names() -> dict[str, str]:
    """Every game of OpenSpiel, with the reason why it cannot be played here; the reason is empty where it can."""
    pyspiel = _openspiel("board/...")
    reasons = {kind.short_name: _objection(pyspiel, kind, kind.min_num_players) for kind in pyspiel.registered_games()}
    for kind in pyspiel.registered_games():
        if not kind.default_loadable and not reasons[kind.short_name]:
            reasons[kind.short_name] = "it has to be given parameters"
    return dict(sorted(reasons.items()))


def load(name: str) -> Any:
    """The pyspiel game of a name.

    Raises:
        UnknownGame: if there is no such game, it is of a kind that cannot be played here, or its parameters are wrong.
        MissingExtra: if OpenSpiel is not installed.
    """
    pyspiel = _openspiel(f"board/{name}")
    if name.split("(")[0] not in pyspiel.registered_names():
        raise unknown("board", name, names())
    _check_parameters(name)
    try:
        game = pyspiel.load_game(name)
        over = game.new_initial_state().is_terminal()  # some parameters are wrong for the first position only
    except Exception as error:  # of OpenSpiel, or of C++ where a parameter is wrong in a way that it does not check
        raise UnknownGame(f"board/{name}: OpenSpiel says: {' '.join(str(error).split())}") from error
    objection = _objection(pyspiel, game.get_type(), game.num_players())
    if objection or over:
        objection = objection or "it is over before its first move"
        raise UnknownGame(f"board/{name} cannot be played: {objection}")
    return game


@functools.cache  # finding them takes up to a second
def symmetries(name: str) -> Symmetries | None:
    """The symmetries of a game, see `muzero.games.symmetries.find`; None if it has none.

    Raises:
        UnknownGame: as `load`.
        MissingExtra: as `load`.
    """
    return find(BoardRules(load(name).new_initial_state()))


def _openspiel(game: str) -> Any:
    """OpenSpiel, with the games that this package adds to it.

    Raises:
        MissingExtra: if OpenSpiel is not installed.
    """
    pyspiel = need("pyspiel", game, "open_spiel", "board")
    importlib.import_module("muzero.games.othello")  # registers itself; it imports pyspiel
    return pyspiel


def _check_parameters(name: str) -> None:
    """Refuse whole numbers that are negative or too large, before OpenSpiel allocates boards of that size.

    Raises:
        UnknownGame: naming the parameter, the number and the limits.
    """
    given = name.partition("(")[2]
    for found in WHOLE_NUMBER.finditer(given):
        text = found.group()
        if len(text) > 20 or not 0 <= int(text) <= LARGEST_PARAMETER:
            names = PARAMETER.findall(given[: found.start()])
            problem = f"{text[:20]} is out of range" + (f" for its parameter {names[-1]}" if names else "")
            expected = f"expected whole numbers from 0 to {LARGEST_PARAMETER:,}"
            raise UnknownGame(f"board/{name} cannot be played: {problem}; {expected}")


def _objection(pyspiel: Any, kind: Any, players: int) -> str:
    """Why a game cannot be played; empty if it can."""
    rules = pyspiel.GameType
    if kind.dynamics != rules.Dynamics.SEQUENTIAL:
        return "players move at the same time"
    if kind.chance_mode != rules.ChanceMode.DETERMINISTIC:
        return "it has dice, cards or other chance"
    if kind.information != rules.Information.PERFECT_INFORMATION:
        return "players do not see the whole position"
    if players > 2:
        return f"it has {players} players"
    if players == 2 and kind.utility != rules.Utility.ZERO_SUM:
        return "it is not zero-sum"
    if not kind.provides_observation_tensor:
        return "OpenSpiel has no observation tensor for it"
    return ""


class _Board(OneGame):
    """One game of OpenSpiel, which may begin with up to `plies` random moves."""

    def __init__(self, game: Any, discount: float, plies: int) -> None:
        self.state = game.new_initial_state()
        self._game = game
        self._observer = Observer(game)
        self._discount = discount
        self._plies = plies

    def reset(self, seed: int) -> None:
        self.state = self._game.new_initial_state()
        if self._plies:
            rng = np.random.default_rng(seed)
            while not self._opening(rng):
                self.state = self._game.new_initial_state()

    def _opening(self, rng: np.random.Generator) -> bool:
        """Play random moves; return whether the game continues after them."""
        for _ in range(rng.integers(self._plies + 1)):
            moves = self.state.legal_actions()
            self.state.apply_action(moves[rng.integers(len(moves))])
            if self.state.is_terminal():
                return False
        return True

    def step(self, action: int) -> tuple[float, float, bool]:
        state = self.state
        player = state.current_player()
        before = state.player_return(player)
        state.apply_action(action)
        reward = state.player_return(player) - before
        if state.is_terminal():
            return reward, 0.0, False
        return reward, self._discount if state.current_player() == player else -self._discount, False

    def observe(self, out: np.ndarray) -> None:
        self._observer.write(self.state, out)

    def legal(self) -> Sequence[int]:
        return self.state.legal_actions()

    def rules(self) -> BoardRules:
        return BoardRules(self.state.clone(), self._observer)
