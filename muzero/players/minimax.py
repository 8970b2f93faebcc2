"""Perfect play by a search to the end of the game."""

from muzero.interfaces import PlayerError, Rules
from muzero.players.perfect import PerfectPlayer

LONGEST = 250  # moves that the search follows; Python's own stack ends soon after


class MinimaxPlayer(PerfectPlayer):
    """Plays perfectly, uniformly among the best moves, in games small enough to be searched to the end."""

    title = "minimax"

    def __init__(self, largest: int = 1_000_000) -> None:
        """largest: number of positions after which a game counts as too large."""
        self.largest = largest
        self.solved: dict[str, float] = {}

    def scores(self, rules: Rules) -> dict[int, float]:
        return {action: sign(rules) * self.value(rules.child(action)) for action in rules.legal()}

    def value(self, rules: Rules) -> float:
        """The return of player 0 if both players play perfectly.

        Raises:
            PlayerError: if the game is too large.
        """
        if rules.over:
            return rules.returns[0]
        key = rules.key()
        if key not in self.solved:
            if len(self.solved) >= self.largest or len(rules.history) > LONGEST:
                raise PlayerError(f"{rules.game} has more than {self.largest:,} positions; too large for minimax")
            self.solved[key] = max(self.scores(rules).values()) * sign(rules)
        return self.solved[key]


def sign(rules: Rules) -> int:
    """1 if player 0 is to move, -1 if its opponent is."""
    return 1 if rules.to_move == 0 else -1
