"""Perfect play in Connect Four by the solver bitbully, which takes milliseconds for a position."""

from muzero.interfaces import PlayerError, Rules
from muzero.players.perfect import PerfectPlayer

GAME = "connect_four"
SIZE = {"rows": 6, "columns": 7, "x_in_row": 4}


class SolverPlayer(PerfectPlayer):
    """Plays Connect Four perfectly: wins as early and loses as late as possible."""

    title = "solver, by bitbully"

    def __init__(self) -> None:
        """Load the solver.

        Raises:
            PlayerError: if it is not installed; names the extra that installs it.
        """
        try:
            import bitbully
        except ImportError as error:
            raise PlayerError('solver needs bitbully: pip install "muzero[oracle]"') from error
        self._solver = bitbully.BitBully()
        self._board = bitbully.Board

    def scores(self, rules: Rules) -> dict[int, float]:
        if rules.game != GAME or {key: rules.parameters.get(key) for key in SIZE} != SIZE:
            size = ", ".join(f"{key}={value}" for key, value in rules.parameters.items())
            raise PlayerError(f"solver plays board/{GAME} of 6 rows and 7 columns only, not {rules.game}({size})")
        board = self._board()
        for action in rules.history:
            board.play(action)
        return {int(column): float(score) for column, score in self._solver.score_all_moves(board).items()}
