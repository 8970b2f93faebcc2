"""Self-play: a batch of games, a model and a planner make segments of experience."""

import math
import time
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple

import numpy as np
import torch

from muzero.config import Range
from muzero.data import schema
from muzero.data.schema import Segment, SegmentId
from muzero.inference import observed
from muzero.interfaces import Carry, Decision, Games, Latent, NonFiniteError, Planner, Timestep, WorldModel
from muzero.play.selfplay_checks import check_carry, check_counters, check_memory, check_rows
from muzero.util.seeds import SCHEME, derive


class Episode(NamedTuple):
    """The score and length of a game that has ended."""

    score: float  # sum of rewards; in two-player games, of the player that moved first
    steps: int


@dataclass(frozen=True)
class Harvest:
    """What one call of `SelfPlay.play` made."""

    segments: list[Segment]
    episodes: list[Episode]


class SelfPlay:
    """Plays B games in lock step, and continues the same games from call to call."""

    def __init__(
        self,
        games: Games,
        model: WorldModel,
        planner: Planner,
        seed: int,
        actor: int = 0,
        incarnation: int = 0,
        *,
        segment_steps: Annotated[int, Range(1, 10_000)] = 200,
        random_actions: Annotated[float, Range(0.0, 1.0)] = 0.0,
        full_searches: Annotated[float, Range(0.01, 1.0)] = 1.0,
        cheap_simulations: Annotated[int, Range(1, 10_000)] = 8,
    ) -> None:
        """Begin B games.

        Args:
            games: B games.
            model: plays; its parameters may be replaced between calls of `play`.
            planner: chooses actions.
            seed: of the run.
            actor: number of the actor, part of segments' ids.
            incarnation: number of these games among those of the actor, part of segments' ids.
            segment_steps: rows after which a segment of an unfinished game is handed over.
            random_actions: share of actions drawn uniformly instead of planned.  They show the model what actions do
                that the search would never choose; value targets do not look past them.
            full_searches: share of steps in which the planner searches with all its simulations.  Only these teach the
                policy; the other steps are cheap, so that more games end and teach the value in the same time (Wu
                2019, section 3.1).  It is drawn for all games of a step at once.
            cheap_simulations: simulations of the other steps; at most those of the planner.
        """
        self.games, self.model, self.planner = games, model.eval(), planner
        self.seed, self.actor, self.incarnation = seed, actor, incarnation
        self.segment_steps = segment_steps
        self.random_actions = random_actions
        self.full_searches = full_searches
        self.cheap_planner = planner.limited(cheap_simulations) if full_searches < 1 else planner
        self.candidates = planner.candidates(games.spec.actions)
        self.device = next(iter(model.parameters()), torch.empty(0)).device
        self.version = -1
        self.rejected = 0  # segments that failed validation
        self.last_rejection: str | None = None
        self._begin()

    def _begin(self) -> None:
        """Start new games in all slots, under seeds that this actor has not used before."""
        batch, spec = self.games.batch, self.games.spec
        seed = derive(self.seed, "self-play", self.actor, self.incarnation)
        self.rng = np.random.default_rng(derive(seed, "planning"))
        self.timestep = self.games.reset(np.array([derive(seed, "slot", slot) for slot in range(batch)], np.int64))
        self.memory: Latent = self.model.memory(batch)
        self.action = spec.actions.none(batch)
        self.carry: Carry = self.planner.start(batch, spec.actions)
        columns = schema.columns(spec, self.candidates)
        self.rows = {column.name: column.rows(batch, self.segment_steps) for column in columns}
        self.filled = np.zeros(batch, np.int64)  # rows waiting to be handed over
        self.game = np.arange(batch)  # numbers games over all slots
        self.sequence = np.zeros(batch, np.int64)
        self.score = np.zeros(batch)
        self.sign = np.ones(batch)  # +1 where the player to move moved first
        self.length = np.zeros(batch, np.int64)

    def play(self, steps: int, seconds: float = math.inf) -> Harvest:
        """Play `steps` steps of each game; fewer, but at least one, if these seconds have passed."""
        harvest, end = Harvest([], []), time.monotonic() + seconds
        for _ in range(steps):
            self._step(harvest)
            if time.monotonic() >= end:
                break
        return harvest

    def _step(self, harvest: Harvest) -> None:
        now = self.timestep
        full = self.full_searches == 1 or self.rng.random() < self.full_searches
        decision = self._plan(self.planner if full else self.cheap_planner)
        last = now.last & ~now.first
        # The rows of a game that is over were handed over; one cut short still needs the value of its last position.
        keeps = ~last | now.truncated
        planned = self.rng.random(len(last)) >= self.random_actions
        self.action = self.games.spec.actions.draw(now.legal, self.rng)
        self.action[planned] = decision.action[planned]
        found = {"observation": now.observation, "legal": now.legal, "action": self.action, "planned": planned}
        nothing = np.zeros(len(last), np.float32)  # until a step is taken; a row without a step keeps it
        found |= {"policy": decision.weights, "value": decision.value, "reward": nothing, "discount": nothing}
        found |= {"taught": decision.weights.any(1) & full}
        self._write(keeps, found if decision.candidates is None else found | {"candidates": decision.candidates})
        self.timestep = after = self.games.step(self.action)
        broken = ~last & after.first  # by a fault: what was under way is dropped
        moved = ~last & ~broken
        self._write(moved, {"reward": after.reward, "discount": after.discount})
        self.filled[keeps] += 1
        self.filled[broken] = 0
        self._count(after, moved)
        for slot in np.flatnonzero(moved & (self.filled == self.segment_steps) | (last & now.truncated)):
            self._hand_over(harvest, self._cut_out(int(slot), tail=bool(last[slot])))
        self._write_ends(harvest, moved & (after.discount == 0), after)
        for slot in np.flatnonzero(moved & after.last):
            harvest.episodes.append(Episode(float(self.score[slot]), int(self.length[slot])))
        self._renew(after.first)

    def _write(self, where: np.ndarray, found: dict[str, np.ndarray]) -> None:
        """Write these columns of the next row of some slots.  where: [B] bool."""
        row = np.flatnonzero(where), self.filled[where]
        for name, array in found.items():
            self.rows[name][row] = array[where]

    def _write_ends(self, harvest: Harvest, over: np.ndarray, after: Timestep) -> None:
        """Hand over the games that are over, with the position in which they are: a row without a step or a plan."""
        for array in self.rows.values():
            array[np.flatnonzero(over), self.filled[over]] = 0
        self._write(over, {"observation": after.observation, "legal": after.legal})
        self.filled[over] += 1
        for slot in np.flatnonzero(over):
            self._hand_over(harvest, self._cut_out(int(slot), tail=True))

    @torch.inference_mode()
    def _plan(self, planner: Planner) -> Decision:
        """Observe the present positions and search.

        Raises:
            NonFiniteError: if the model produced NaN or infinity; nothing has changed then.
        """
        now = self.timestep
        seen = self.action, now.observation, now.first
        memory = observed(self.model, self.memory, *seen, explores=True, path=planner.path)
        try:
            decision, carry = planner.plan(self.model, memory, now.legal, self.carry, now.first, self.rng, explore=True)
        except ValueError as error:  # planners reject non-finite inputs
            raise NonFiniteError(f"weights of version {self.version}: {error}{self._suspect()}") from error
        # Last: what is not finite must not be saved.  Of the latent, only what the next step reads.
        self.memory, self.carry = {name: memory[name] for name in self.memory}, carry
        return decision

    def _suspect(self) -> str:
        """The observation that finite weights most likely failed at, in words; empty where the weights are not."""
        if not all(torch.isfinite(tensor).all() for tensor in self.model.state_dict().values()):
            return ""
        observation = self.timestep.observation.reshape(self.games.batch, -1)
        slot = int(np.abs(observation.astype(np.float64)).max(1).argmax())
        low, high = observation[slot].min(), observation[slot].max()
        return (
            "; the weights are finite, the largest observation is that of environment "
            f"{slot + 1} of {self.games.batch}: numbers from {low:g} to {high:g}; "
            "scale observations in the environment, to -1..1 for example"
        )

    def _count(self, after: Timestep, moved: np.ndarray) -> None:
        """Add up scores, as seen by the player that moved first."""
        self.score += np.where(moved, self.sign * after.reward, 0)
        self.length += moved
        self.sign = np.where(moved & (after.discount < 0), -self.sign, self.sign)

    def _cut_out(self, slot: int, tail: bool) -> Segment:
        """Make a segment of the rows of a slot, which is empty then."""
        count = self.filled[slot]
        rows = {name: array[slot, :count].copy() for name, array in self.rows.items()}
        number = SegmentId(self.actor, self.incarnation, int(self.game[slot]), int(self.sequence[slot]))
        self.filled[slot] = 0
        self.sequence[slot] += 1
        return Segment(number, self.version, rows, tail)

    def _hand_over(self, harvest: Harvest, segment: Segment) -> None:
        """Add a segment to the harvest if it passes validation, else count it."""
        try:
            segment.check(self.games.spec, self.candidates)
        except ValueError as error:
            self.rejected, self.last_rejection = self.rejected + 1, str(error)
        else:
            harvest.segments.append(segment)

    def _renew(self, first: np.ndarray) -> None:
        """Reset what is counted per game where a new one begins."""
        self.game[first] += self.games.batch
        self.sequence[first] = 0
        self.score[first], self.sign[first], self.length[first] = 0, 1, 0

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Arrays and plain values from which `restore` continues these games."""
        most = int(self.filled.max())
        empty = np.arange(most) >= self.filled[:, None]  # rows that were handed over, which must not be saved
        arrays = {f"rows.{name}": array[:, :most].copy() for name, array in self.rows.items()}
        for array in arrays.values():
            array[empty] = 0
        arrays |= {f"games.{name}": array for name, array in self.games.state().items()}
        arrays |= {f"memory.{name}": tensor.cpu().numpy() for name, tensor in self.memory.items()}
        arrays |= {f"carry.{name}": array for name, array in self.carry.items()}
        values = {"incarnation": self.incarnation, "rng": self.rng.bit_generator.state, "seeds": SCHEME}
        return arrays | self._counters(), values

    def restore(self, arrays: dict[str, np.ndarray], values: dict[str, Any], incarnation: int = 0) -> bool:
        """Continue where `state` was taken; false, with new games, where the old ones cannot be brought back.

        Args:
            arrays: as `state` gave them.
            values: as `state` gave them.
            incarnation: the least that new games may take, so that ids are never reused.

        Raises:
            ValueError: if `state` cannot have given these arrays; nothing has changed then.
            EnvironmentFault: if the games, played again, take another course.
        """
        games, rows, memory, carry = (under(f"{part}.", arrays) for part in ("games", "rows", "memory", "carry"))
        # Games are played again from their seeds: under another scheme, these would be other games.
        same = values.get("seeds") == SCHEME
        if games and same:
            if "random" in rows:  # in checkpoints written before the mask was turned around
                rows["planned"] = ~rows.pop("random")
            if "taught" not in rows:  # in checkpoints written before searches could be cheap
                rows["taught"] = np.any(rows["policy"], axis=-1)
            space = self.games.spec.actions
            check_counters(self._counters(), arrays, space, self.segment_steps)
            check_carry(self.planner.start(self.games.batch, space), carry)
            check_rows(self.rows, rows, arrays["filled"].max())
            begun = self.model.memory(self.games.batch)
            check_memory({name: tensor.cpu().numpy() for name, tensor in begun.items()}, memory)
        timestep = self.games.restore(games) if games and same else None
        if timestep is None:
            self.incarnation = max(values["incarnation"] + 1, incarnation)
            self._begin()
            return False
        self.incarnation = values["incarnation"]
        self.timestep = timestep
        for name, array in rows.items():
            self.rows[name][:, : array.shape[1]] = array
        self.carry = carry
        remembered = self.model.memory(self.games.batch)  # older checkpoints hold the whole latent
        self.memory = {name: torch.from_numpy(memory[name]).to(self.device) for name in remembered}
        for name, counter in self._counters().items():
            counter[:] = arrays[name]
        self.rng.bit_generator.state = values["rng"]
        return True

    def _counters(self) -> dict[str, np.ndarray]:
        """What is kept per slot beside its rows, by the name under which it is saved."""
        return {
            "action": self.action,
            "filled": self.filled,
            "game": self.game,
            "sequence": self.sequence,
            "score": self.score,
            "sign": self.sign,
            "length": self.length,
        }


def under(prefix: str, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays whose names begin with a prefix, without it."""
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
