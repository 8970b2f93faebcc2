"""Othello on a board of 6x6, as a game that OpenSpiel plays, searches and lists beside its own Othello, of 8x8 only.

Importing this module registers it.  Rules, actions, observations, names and drawings are those of OpenSpiel's
`othello`; only the size differs.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pyspiel


class Board:
    """The geometry of a square board whose cells are the bits of an integer, row by row from the upper left corner."""

    def __init__(self, size: int) -> None:
        """size: of a side, even and at least 4."""
        self.size = size
        self.cells = size * size
        self.full = (1 << self.cells) - 1
        row = ((1 << size) - 1) & ~(1 | 1 << (size - 1))
        inner = sum(row << (size * index) for index in range(size))  # a line across columns cannot continue elsewhere
        self.lines = ((1, inner), (size - 1, inner), (size, self.full), (size + 1, inner))

    def moves(self, mine: int, theirs: int) -> int:
        """The cells on which a stone turns others: empty, at the end of a line of theirs that begins at one of mine."""
        found = 0
        for step, inside in self.lines:
            between = theirs & inside
            up, down = mine << step & between, mine >> step & between
            for _ in range(self.size - 3):
                up |= up << step & between
                down |= down >> step & between
            found |= up << step | down >> step
        return found & self.full & ~(mine | theirs)

    def turned(self, mine: int, theirs: int, cell: int) -> int:
        """The stones of theirs that my stone on a cell turns."""
        found = 0
        for step, inside in self.lines:
            between = theirs & inside
            line, end = 0, cell << step
            while end & between:
                line |= end
                end <<= step
            found |= line if end & mine else 0
            line, end = 0, cell >> step
            while end & between:
                line |= end
                end >>= step
            found |= line if end & mine else 0
        return found


class Position(NamedTuple):
    """A position; it does not change."""

    black: int
    white: int
    to_move: int  # 0 black, 1 white
    moves: int  # cells where the player to move may put a stone; 0 if it must pass
    over: bool

    def __deepcopy__(self, memo: object) -> Position:
        return self  # OpenSpiel copies the members of a state

    @staticmethod
    def first(board: Board) -> Position:
        """The four stones in the centre; black moves."""
        corner = (board.size // 2 - 1) * (board.size + 1)
        white, black = (1 | 1 << (board.size + 1)) << corner, (1 << 1 | 1 << board.size) << corner
        return Position(black, white, 0, board.moves(black, white), False)

    def after(self, board: Board, action: int) -> Position:
        """The position after a legal action: the number of a cell, or that of cells for a pass."""
        mine, theirs = (self.black, self.white)[:: -1 if self.to_move else 1]
        if action < board.cells:
            cell = 1 << action
            turned = board.turned(mine, theirs, cell)
            mine, theirs = mine | turned | cell, theirs & ~turned
        moves = board.moves(theirs, mine)
        over = not moves and not board.moves(mine, theirs)
        black, white = (theirs, mine) if self.to_move else (mine, theirs)
        return Position(black, white, 1 - self.to_move, moves, over)


class OthelloGame(pyspiel.Game):
    """Othello on a board of `size` x `size`."""

    size = 6

    def __init__(self, params: object = None) -> None:
        """params: OpenSpiel's; there are none."""
        size = self.size
        self.board = Board(size)
        info = pyspiel.GameInfo(
            num_distinct_actions=size * size + 1,
            max_chance_outcomes=0,
            num_players=2,
            min_utility=-1.0,
            max_utility=1.0,
            utility_sum=0.0,
            max_game_length=2 * (size * size - 4),  # every pass is followed by a stone
        )
        super().__init__(kind(size), info, {})

    @cached_property
    def first(self) -> Position:
        return Position.first(self.board)

    def new_initial_state(self, state: object = None) -> OthelloState:
        if state is not None:
            raise ValueError(f"othello begins with four stones in the centre, got {state!r}")
        return OthelloState(self)

    def make_py_observer(self, iig_obs_type: object = None, params: object = None) -> OthelloObserver:
        return OthelloObserver(self.board)


class OthelloState(pyspiel.State):
    """A position and how it came about, with the methods that OpenSpiel asks of a game in Python."""

    def __init__(self, game: OthelloGame) -> None:
        super().__init__(game)
        self.position = game.first

    @property
    def board(self) -> Board:
        return self.get_game().board

    def current_player(self) -> int:
        position = self.position
        return pyspiel.PlayerId.TERMINAL if position.over else position.to_move

    def is_terminal(self) -> bool:
        return self.position.over

    def _legal_actions(self, player: int) -> list[int]:
        moves, found = self.position.moves, []
        while moves:
            last = moves & -moves
            found.append(last.bit_length() - 1)
            moves ^= last
        return found or [self.board.cells]

    def _apply_action(self, action: int) -> None:
        self.position = self.position.after(self.board, action)

    def _action_to_string(self, player: int, action: int) -> str:
        row, column = divmod(action, self.board.size)
        return f"{chr(ord('a') + column)}{row + 1}" if action < self.board.cells else "pass"

    def returns(self) -> list[float]:
        black, white, _, _, over = self.position
        lead = black.bit_count() - white.bit_count() if over else 0
        return [float((lead > 0) - (lead < 0)), float((lead < 0) - (lead > 0))]

    def __str__(self) -> str:
        black, white, to_move, _, over = self.position
        size = self.board.size
        stones = ["x" if black >> cell & 1 else "o" if white >> cell & 1 else "-" for cell in range(size * size)]
        letters = "  " + "".join(f"{chr(ord('a') + column)} " for column in range(size)) + " "
        rows = [f"{row + 1} {' '.join(stones[row * size : (row + 1) * size])} {row + 1}" for row in range(size)]
        head = "Terminal State:" if over else ("Black (x) to play:", "White (o) to play:")[to_move]
        return "\n".join([head, letters, *rows, letters])


class OthelloObserver:
    """Three planes: the empty cells, the player's stones, the opponent's stones."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self.tensor = np.zeros(3 * board.cells, np.float32)
        self.dict = {"observation": self.tensor.reshape(3, board.size, board.size)}

    def set_from(self, state: OthelloState, player: int) -> None:
        """Fill the tensor with the view of a player."""
        cells, full = self._board.cells, self._board.full
        mine, theirs = state.position[:2][:: -1 if player else 1]
        bits = (full & ~(mine | theirs)) | mine << cells | theirs << 2 * cells
        packed = np.frombuffer(bits.to_bytes(3 * cells // 8 + 1, "little"), np.uint8)
        self.tensor[:] = np.unpackbits(packed, count=3 * cells, bitorder="little")

    def string_from(self, state: OthelloState, player: int) -> str:
        return str(state)


def kind(size: int) -> Any:
    """OpenSpiel's description of the game."""
    rules = pyspiel.GameType
    return rules(
        short_name=f"othello_{size}x{size}",
        long_name=f"Othello {size}x{size}",
        dynamics=rules.Dynamics.SEQUENTIAL,
        chance_mode=rules.ChanceMode.DETERMINISTIC,
        information=rules.Information.PERFECT_INFORMATION,
        utility=rules.Utility.ZERO_SUM,
        reward_model=rules.RewardModel.TERMINAL,
        max_num_players=2,
        min_num_players=2,
        provides_information_state_string=True,
        provides_information_state_tensor=False,
        provides_observation_string=True,
        provides_observation_tensor=True,
        parameter_specification={},
    )


pyspiel.register_game(kind(OthelloGame.size), OthelloGame)
