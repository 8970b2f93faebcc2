"""Board games by OpenSpiel: two-player zero-sum games and puzzles, of perfect information and without chance."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import numpy as np

from muzero.config.schema import Range
from muzero.games.batched import BatchedGames, OneGame
from muzero.games.checks import check_size
from muzero.games.coordinates import PLAYERS, drawing
from muzero.games.errors import UnknownGame, unknown
from muzero.interfaces import GameSpec
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
        *,
        discount: Annotated[float, Range(0.001, 1)] = 1.0,
        random_plies: Annotated[int, Range(0)] = 0,
    ) -> None:
        """Training and evaluation play the same game, but for the first moves.

        Args:
            name: of the game, with its parameters.
            batch: B.
            training: whether games begin with random moves.
            discount: of a step that does not end the game, without the sign of the turn.
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
            observation=_shape(game),
            dtype="float32",
            actions=game.num_distinct_actions(),
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
    pyspiel = need("pyspiel", "board/...", "open_spiel", "board")
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
    pyspiel = need("pyspiel", f"board/{name}", "open_spiel", "board")
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


def _check_parameters(name: str) -> None:
    """Refuse whole numbers that are negative or too large, before OpenSpiel allocates boards of that size.

    Raises:
        UnknownGame: naming the number and the limits.
    """
    for text in WHOLE_NUMBER.findall(name.partition("(")[2]):
        if len(text) > 20 or not 0 <= int(text) <= LARGEST_PARAMETER:
            expected = f"expected whole numbers from 0 to {LARGEST_PARAMETER:,}"
            raise UnknownGame(f"board/{name} cannot be played: its parameter {text[:20]} is out of range; {expected}")


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


def _shape(game: Any) -> tuple[int, ...]:
    """The observation's shape, the seat to move included."""
    shape, seats = tuple(game.observation_tensor_shape()), game.num_players() - 1
    return (shape[0] + seats, *shape[1:]) if len(shape) == 3 else (math.prod(shape) + seats,)


class _Eyes:
    """Writes observations.  OpenSpiel's observer fills a buffer; its lists take up to 40 us to convert."""

    def __init__(self, game: Any) -> None:
        make = need("open_spiel.python.observation", str(game), "open_spiel", "board").make_observation
        shape = _shape(game)
        self._observer = make(game)
        self._seats = game.num_players() - 1
        self._tensor = self._observer.tensor.reshape(shape[0] - self._seats, *shape[1:])

    def look(self, state: Any, out: np.ndarray) -> None:
        """Write the view of the player to move; at the end of a game, of the player who did not move last."""
        seat = state.current_player()
        if seat < 0:
            seat = self._seats - state.full_history()[-1].player
        self._observer.set_from(state, seat)
        if self._seats:
            out[:-1] = self._tensor
            out[-1] = seat
        else:
            out[...] = self._tensor


class _Board(OneGame):
    """One game of OpenSpiel."""

    def __init__(self, game: Any, discount: float, plies: int) -> None:
        self.state = game.new_initial_state()
        self._game = game
        self._eyes = _Eyes(game)
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
        self._eyes.look(self.state, out)

    def legal(self) -> Sequence[int]:
        return self.state.legal_actions()

    def rules(self) -> BoardRules:
        return BoardRules(self.state.clone(), self._eyes)


class BoardRules:
    """`Rules` by OpenSpiel, with its numbers of players."""

    def __init__(self, state: Any, eyes: _Eyes | None = None) -> None:
        """state: a pyspiel state, which must not change any more.  eyes: of its game; None makes them when needed."""
        self.state = state
        self._eyes = eyes

    @property
    def game(self) -> str:
        return self.state.get_game().get_type().short_name

    @property
    def parameters(self) -> Mapping[str, Any]:
        return self.state.get_game().get_parameters()

    @property
    def history(self) -> Sequence[int]:
        return self.state.history()

    @property
    def over(self) -> bool:
        return self.state.is_terminal()

    @property
    def to_move(self) -> int:
        return self.state.current_player()

    @property
    def returns(self) -> Sequence[float]:
        return self.state.returns()

    def legal(self) -> list[int]:
        return self.state.legal_actions()

    def child(self, action: int) -> BoardRules:
        if action not in self.legal():
            raise ValueError(f"board/{self.state.get_game()}: action {action} is not legal; legal are {self.legal()}")
        return BoardRules(self.state.child(action), self._eyes)

    def name(self, action: int) -> str:
        return self.state.action_to_string(action)

    def key(self) -> str:
        return f"{self.state.current_player()} {self.state}"

    def draw(self) -> str:
        return drawing(self.game, str(self.state))

    def player(self, number: int) -> str:
        return PLAYERS[self.game][number] if self.game in PLAYERS else f"player {number}"

    def view(self) -> tuple[np.ndarray, np.ndarray]:
        game = self.state.get_game()
        if self._eyes is None:
            self._eyes = _Eyes(game)
        seen = np.empty(_shape(game), np.float32)
        self._eyes.look(self.state, seen)
        legal = np.full(game.num_distinct_actions(), self.over)
        legal[self.legal()] = True
        return seen, legal

    def long_algebraic(self) -> tuple[str, list[str], dict[str, int]]:
        """Chess as programs exchange it: the first position (FEN), the moves so far, and the legal moves by name."""
        chess = need("pyspiel.chess", "chess", "open_spiel", "board")
        moves = [move.to_lan() for move in self.state.moves_history()]
        board = self.state.board()
        return self.state.start_fen(), moves, {chess.action_to_move(a, board).to_lan(): a for a in self.legal()}
