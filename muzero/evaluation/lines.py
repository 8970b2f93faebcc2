"""Every line of play that an opponent can choose against a player, in small games."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from muzero.evaluation.positions import BATCH
from muzero.interfaces import Player, PlayerError, Positions, Rules
from muzero.play.match import Outcome
from muzero.util.seeds import derive_short

MOST = 5_000  # lines under way at once
Watch = Callable[[int], None]  # called with the number of lines that have ended; may raise to end the work


def every_line(player: Player, start: Rules, seed: int, watch: Watch = lambda count: None) -> list[Outcome]:
    """Play a game in every way that an opponent can play it, in both seats; each position is asked about alone.

    Args:
        player: the player under test; it makes one move where the opponent makes all.
        start: the first position of the game.
        seed: of the player's random choices.
        watch: called after each batch of its moves.

    Returns:
        an outcome for each line.

    Raises:
        PlayerError: if the player resigns or chooses what is not legal, or the game has too many lines.
    """
    ended: list[Outcome] = []
    for seat in (0, 1):
        mine = start.to_move if seat == 0 else 1 - start.to_move
        waiting = [start]
        while waiting:
            if len(waiting) > MOST:
                raise PlayerError(f"{start.game} has more than {MOST:,} lines of play; give an opponent")
            asked = [rules for rules in waiting if rules.to_move == mine]
            other = [rules for rules in waiting if rules.to_move != mine]
            next_ones = [rules.child(action) for rules in other for action in rules.legal()]
            for begin in range(0, len(asked), BATCH):
                next_ones += answers(player, asked[begin : begin + BATCH], seed)
                watch(len(ended))
            ended += [
                Outcome(rules.returns[mine], seat, len(rules.history), actions=tuple(rules.history))
                for rules in next_ones
                if rules.over
            ]
            waiting = [rules for rules in next_ones if not rules.over]
    return ended


def answers(player: Player, asked: list[Rules], seed: int) -> list[Rules]:
    """The positions that the player moves to."""
    seeds = np.full(len(asked), derive_short(seed, "every line"), np.int64)
    moves, _ = player.act(Positions.of(asked, seeds), player.start(len(asked)))
    for rules, action in zip(asked, moves.action.tolist(), strict=True):
        if action not in rules.legal():
            raise PlayerError(f"the player chose {action} after {list(rules.history)}; legal are {rules.legal()}")
    return [rules.child(action) for rules, action in zip(asked, moves.action.tolist(), strict=True)]
