"""OpenSpiel's tree search with the true rules and random rollouts: a baseline for every board game."""

import math

import numpy as np

from muzero.games.board_rules import BoardRules
from muzero.interfaces import MemorylessPlayer, Moves, PlayerError, Positions, Rules
from muzero.util.extras import need

EXPLORATION = math.sqrt(2)  # of UCT (Kocsis and Szepesvári 2006)
MEMORY = 1000  # MB that a search may use


class RolloutsPlayer(MemorylessPlayer):
    """OpenSpiel's MCTS bot: UCT with N rollouts per move, and proven wins and losses (Winands et al. 2008)."""

    def __init__(self, argument: str) -> None:
        """Check the number of rollouts.

        Args:
            argument: the number of rollouts per move, as text.

        Raises:
            PlayerError: if it is not a number from 1 to 10,000,000.
        """
        if not argument.isdecimal() or not 1 <= int(argument) <= 10_000_000:
            raise PlayerError(f"mcts:{argument}: expected a number of rollouts from 1 to 10000000, such as mcts:100")
        self.rollouts = int(argument)
        self.title = f"mcts:{self.rollouts}, by OpenSpiel"

    def choose(self, positions: Positions) -> Moves:
        """Search each position with its own seed; the value is the mean result of the chosen move's rollouts.

        Raises:
            PlayerError: if the game is not one of OpenSpiel's.
        """
        rows = zip(positions.rules or [None] * len(positions.seed), positions.seed, strict=True)
        moves = [self._search(rules, int(seed)) for rules, seed in rows]
        return Moves(np.array([m[0] for m in moves], np.int64), np.array([m[1] for m in moves], np.float32))

    def _search(self, rules: Rules | None, seed: int) -> tuple[int, float]:
        if not isinstance(rules, BoardRules):
            raise PlayerError("mcts plays board games only: it is OpenSpiel's and knows OpenSpiel's rules")
        state = rules.state
        pyspiel = need("pyspiel", "mcts", "open_spiel", "board")
        seed %= 2**31 - 1
        evaluator = pyspiel.RandomRolloutEvaluator(1, seed)
        bot = pyspiel.MCTSBot(state.get_game(), evaluator, EXPLORATION, self.rollouts, MEMORY, True, seed, False)
        best = bot.mcts_search(state).best_child()
        if best.outcome:  # proven
            return best.action, best.outcome[state.current_player()]
        return best.action, best.total_reward / max(best.explore_count, 1)
