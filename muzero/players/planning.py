"""A trained model as a player."""

from typing import NamedTuple

import numpy as np
import torch

from muzero.inference import observed
from muzero.interfaces import Carry, Decision, Latent, Moves, NonFiniteError, Planner, Player, Positions, WorldModel
from muzero.util.tensors import sent

SIZES = 6  # of searches at one table, so that `muzero.inference` keeps all of them


class Remembered(NamedTuple):
    """What a player with a model keeps of the games of a table, its slots in front."""

    batch: int  # slots of the table
    latent: Latent  # of models with memory
    carry: Carry  # of planners that remember


class PlanningPlayer(Player):
    """Plans with a model, without exploration; the model's memory and the planner's are kept per game, as in self-play.

    Games end at different times, so the number of positions changes from move to move.  A search of another size needs
    other buffers, and on a GPU another recording, so searches have one of a few sizes, see `searched`.
    """

    title = "muzero"

    def __init__(self, model: WorldModel, planner: Planner) -> None:
        self.model, self.planner = model.eval(), planner
        self.device = next(iter(model.parameters()), torch.empty(0)).device
        self.rng = np.random.default_rng(0)  # part of the planner's interface; without exploration nothing is drawn

    @property
    def remembers(self) -> bool:
        """Whether a move depends on earlier observations of the game."""
        return bool(self.model.memory(1))

    def start(self, batch: int) -> Remembered:
        return Remembered(batch, self.model.memory(batch), self.planner.start(batch, self.model.space))

    def act(self, positions: Positions, memory: Remembered) -> tuple[Moves, Remembered]:
        """Plan all positions in one search; the value is the search's.

        Raises:
            NonFiniteError: if the model makes NaN or infinity of an observation.
        """
        count = len(positions.slots)
        decision, memory = self.decide(positions, memory)
        return Moves(decision.action[:count], decision.value[:count]), memory

    @torch.inference_mode()
    def decide(self, positions: Positions, memory: Remembered) -> tuple[Decision, Remembered]:
        """Plan as `act` does; the decision has a row for each position, and perhaps copies of the last one after them.

        Raises:
            NonFiniteError: as `act`.
        """
        count = len(positions.slots)
        # The last position is repeated until the search has its size; what follows from the copies is dropped.
        rows = np.minimum(np.arange(searched(count, memory.batch)), count - 1)
        slots, first = positions.slots[rows], positions.first[rows]
        places = sent(slots, self.device)
        before = {name: latent[places] for name, latent in memory.latent.items()}
        seen = positions.action[rows], positions.observation[rows], first
        root = observed(self.model, before, *seen, path=self.planner.path)
        carry = {name: array[slots] for name, array in memory.carry.items()}
        try:
            plan = self.planner.plan
            decision, carry = plan(self.model, root, positions.legal[rows], carry, first, self.rng, explore=False)
        except ValueError as error:  # planners reject non-finite inputs
            largest = np.abs(positions.observation.astype(np.float64)).max()
            raise NonFiniteError(f"{error}; the largest number in the observations is {largest:g}") from error
        latent = {name: kept.index_copy(0, places[:count], root[name][:count]) for name, kept in memory.latent.items()}
        after = {name: written(kept, slots[:count], carry[name][:count]) for name, kept in memory.carry.items()}
        return decision, Remembered(memory.batch, latent, after)


def searched(count: int, batch: int) -> int:
    """The size of a search of `count` positions: the least of the batch, its half, its quarter, ... that holds them."""
    for _ in range(SIZES - 1):
        if (half := (batch + 1) // 2) < count:
            break
        batch = half
    return batch


def written(kept: np.ndarray, slots: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The array with other rows in these slots; the one that was given stays as it is."""
    kept = kept.copy()
    kept[slots] = rows
    return kept
