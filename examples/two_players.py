"""A game of your own for two players: three in a row, where pieces fall.

From this folder:

    muzero-check python/two_players:Drop
    muzero-train --game python/two_players:Drop --run runs/drop --time 1m
    muzero-eval runs/drop --against minimax --trust
"""

import copy

import numpy as np

SIDE = 4


class Drop:
    """Drop pieces into four columns of four squares; three in a row, in any direction, win.

    The methods are those of `muzero.games.turns.TurnGame`.  `clone`, `action_name` and `__str__` are optional: they
    serve players that look ahead, and people.
    """

    actions = SIDE
    observation_shape = (2, SIDE, SIDE)  # planes: the pieces of the player to move, and those of the other

    def reset(self, seed: int) -> None:
        self.board = np.zeros((SIDE, SIDE), np.int8)  # [row from the bottom, column]: 1 and -1 are pieces
        self.player = 0

    def observation(self) -> np.ndarray:
        mine = 1 if self.player == 0 else -1
        return np.stack([self.board == mine, self.board == -mine]).astype(np.float32)

    def legal(self) -> np.ndarray:
        return self.board[-1] == 0

    def to_move(self) -> int:
        return self.player

    def step(self, action: int) -> tuple[float, bool]:
        row = int(np.argmin(self.board[:, action] != 0))
        self.board[row, action] = piece = 1 if self.player == 0 else -1
        self.player = 1 - self.player
        won = self._in_a_row(self.board == piece)
        return float(won), won or not self.legal().any()  # to the player who moved

    @staticmethod
    def _in_a_row(own: np.ndarray) -> bool:
        padded = np.pad(own, 2)
        shifts = ((0, 1), (1, 0), (1, 1), (1, -1))
        lines = (padded & np.roll(padded, s, (0, 1)) & np.roll(padded, (2 * s[0], 2 * s[1]), (0, 1)) for s in shifts)
        return any(line.any() for line in lines)

    def clone(self) -> "Drop":
        return copy.deepcopy(self)

    def action_name(self, action: int) -> str:
        return "abcd"[action]

    def __str__(self) -> str:
        rows = ["".join(".xo"[piece] for piece in row) for row in self.board[::-1]]
        return "\n".join([*rows, "abcd"])
