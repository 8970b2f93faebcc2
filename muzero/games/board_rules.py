"""Positions of OpenSpiel's games: their observations, and their rules for players that look ahead."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from muzero.games.coordinates import PLAYERS, drawing
from muzero.util.extras import need


def shape_of(game: Any) -> tuple[int, ...]:
    """The observation's shape, the seat to move included."""
    shape, seats = tuple(game.observation_tensor_shape()), game.num_players() - 1
    return (shape[0] + seats, *shape[1:]) if len(shape) == 3 else (math.prod(shape) + seats,)


class Observer:
    """Writes observations.  OpenSpiel's observer fills a buffer; its lists take up to 40 us to convert."""

    def __init__(self, game: Any) -> None:
        make = need("open_spiel.python.observation", str(game), "open_spiel", "board").make_observation
        shape = shape_of(game)
        self._observer = make(game)
        self._seats = game.num_players() - 1
        self._tensor = self._observer.tensor.reshape(shape[0] - self._seats, *shape[1:])

    def write(self, state: Any, out: np.ndarray) -> None:
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


class BoardRules:
    """`Rules` by OpenSpiel, with its numbers of players."""

    def __init__(self, state: Any, observer: Observer | None = None) -> None:
        """state: of pyspiel; it must not change any more.  observer: of its game; None makes one when it is needed."""
        self.state = state
        self._observer = observer

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
        return BoardRules(self.state.child(action), self._observer)

    def name(self, action: int) -> str:
        return self.state.action_to_string(max(self.state.current_player(), 0), action)  # below 0 at the end

    def key(self) -> str:
        return f"{self.state.current_player()} {self.state}"

    def draw(self) -> str:
        return drawing(self.game, str(self.state))

    def player(self, number: int) -> str:
        return PLAYERS[self.game][number] if self.game in PLAYERS else f"player {number}"

    def view(self) -> tuple[np.ndarray, np.ndarray]:
        game = self.state.get_game()
        if self._observer is None:
            self._observer = Observer(game)
        seen = np.empty(shape_of(game), np.float32)
        self._observer.write(self.state, seen)
        legal = np.full(game.num_distinct_actions(), self.over)
        legal[self.legal()] = True
        return seen, legal

    def long_algebraic(self) -> tuple[str, list[str], dict[str, int]]:
        """Chess as programs exchange it: the first position (FEN), the moves so far, and the legal moves by name."""
        chess = need("pyspiel.chess", "chess", "open_spiel", "board")
        moves = [move.to_lan() for move in self.state.moves_history()]
        board = self.state.board()
        return self.state.start_fen(), moves, {chess.action_to_move(a, board).to_lan(): a for a in self.legal()}
