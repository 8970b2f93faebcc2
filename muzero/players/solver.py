"""Perfect play in Connect Four by bitbully, which has every position solved in milliseconds."""

from typing import Any

from muzero.interfaces import PlayerError
from muzero.players.perfect import PerfectPlayer

GAME = "connect_four"


class SolverPlayer(PerfectPlayer):
    """Plays Connect Four perfectly: wins as soon, and loses as late, as can be."""

    title = "solver, by bitbully"

    def __init__(self) -> None:
        """
        Raises:
            PlayerError: naming the extra that brings the solver.
        """
        try:
            import bitbully
        except ImportError as error:
            raise PlayerError('solver needs bitbully: pip install "muzero[oracle]"') from error
        self._solver = bitbully.BitBully()
        self._board = bitbully.Board

    def scores(self, state: Any) -> dict[int, float]:
        game = state.get_game()
        if game.get_type().short_name != GAME or (game.num_distinct_actions(), game.max_game_length()) != (7, 42):
            raise PlayerError(f"solver plays board/{GAME} of 6 rows and 7 columns only, not {game}")
        board = self._board()
        for action in state.history():
            board.play(action)
        return {int(column): float(score) for column, score in self._solver.score_all_moves(board).items()}
