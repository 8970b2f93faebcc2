"""Perfect play by searching to the end."""

from typing import Any

from muzero.interfaces import PlayerError
from muzero.players.perfect import PerfectPlayer


class MinimaxPlayer(PerfectPlayer):
    """Plays perfectly, uniformly among the best moves, in games small enough to be searched to the end."""

    title = "minimax"

    def __init__(self, largest: int = 1_000_000) -> None:
        """largest: positions to solve before giving up."""
        self.largest = largest
        self.solved: dict[str, float] = {}

    def scores(self, state: Any) -> dict[int, float]:
        return {action: sign(state) * self.value(state.child(action)) for action in state.legal_actions()}

    def value(self, state: Any) -> float:
        """Outcome for player 0 if both play perfectly.

        Raises:
            PlayerError: if the game is too large.
        """
        if state.is_terminal():
            return state.returns()[0]
        key = f"{state.current_player()} {state}"
        if key not in self.solved:
            if len(self.solved) >= self.largest or state.get_game().max_game_length() > 500:
                raise PlayerError(f"{state.get_game()} has more than {self.largest:,} positions; too large for minimax")
            self.solved[key] = max(self.scores(state).values()) * sign(state)
        return self.solved[key]


def sign(state: Any) -> int:
    """Of player 0's outcome, seen by the player to move."""
    return 1 if state.current_player() == 0 else -1
