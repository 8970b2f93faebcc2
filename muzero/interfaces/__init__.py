"""The contracts: what a game, a world model, a planner and an objective are, and the records that pass between them.

Read this file first; every other file implements it or uses it.  Sizes in shapes: B games or samples side by
side, A actions that can be listed (0 where they cannot be), T steps of one game, K unrolled steps of a window, W real
steps of a window.

The turn is a sign.  The discount of a step is negative where the turn passes to the opponent and 0 where the game
ends; a reward belongs to the player who just moved, a value to the player to move.  So a return is always
``reward + discount * next_value`` and nothing anywhere asks how many players there are.
"""

from muzero.interfaces.games import EnvironmentFault, Games, GameSpec, NonFiniteError, Rules, Symmetries, Timestep
from muzero.interfaces.heads import Head, PolicyHead, confidence_bound
from muzero.interfaces.learning import Loss, Objective, Window, WindowSize
from muzero.interfaces.models import (
    Expansion,
    Latent,
    Observed,
    Prediction,
    Transition,
    WorldModel,
    no_action,
    observe_first,
)
from muzero.interfaces.planning import Carry, Decision, Planner
from muzero.interfaces.players import RESIGN, MemorylessPlayer, Moves, Player, PlayerError, Positions

__all__ = [
    "RESIGN",
    "Carry",
    "Decision",
    "EnvironmentFault",
    "Expansion",
    "GameSpec",
    "Games",
    "Head",
    "Latent",
    "Loss",
    "MemorylessPlayer",
    "Moves",
    "NonFiniteError",
    "Objective",
    "Observed",
    "Planner",
    "Player",
    "PlayerError",
    "PolicyHead",
    "Positions",
    "Prediction",
    "Rules",
    "Symmetries",
    "Timestep",
    "Transition",
    "Window",
    "WindowSize",
    "WorldModel",
    "confidence_bound",
    "no_action",
    "observe_first",
]
