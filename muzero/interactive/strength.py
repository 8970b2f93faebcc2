"""How strongly an agent plays: how much it searches, and whether it draws its moves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from muzero.agent import Agent
from muzero.config import ConfigError
from muzero.interactive.thoughts import Thoughts
from muzero.planners.searching import TreePlanner

MOST = 10_000  # simulations of a search


@dataclass(frozen=True)
class Strength:
    """A strength with a name."""

    share: float  # of the simulations that the agent was trained with; 0: no search
    temperature: float  # see `choose`
    words: str


STRENGTHS = {
    "beginner": Strength(0, 1.0, "draws each move from the network's policy, without search: makes mistakes"),
    "casual": Strength(0, 0.0, "plays the network's first idea, without search"),
    "club": Strength(0.25, 0.0, "searches a quarter of what it was trained with"),
    "full": Strength(1, 0.0, "searches as it was trained"),
    "strong": Strength(4, 0.0, "searches four times as much as it was trained with"),
}
USUAL = "full"


@dataclass(frozen=True)
class Set:
    """An agent at a strength."""

    agent: Agent
    temperature: float

    @property
    def words(self) -> str:
        """What the strength means: "searches 32 positions a move"."""
        planner = self.agent.player.planner
        count = planner.simulations if isinstance(planner, TreePlanner) else 0
        searches = f"searches {count:,} position{'s' * (count != 1)} a move" if count else "plays without search"
        drawn = f", and draws its moves with temperature {self.temperature:g}" if self.temperature else ""
        return searches + drawn


def at_strength(
    agent: Agent, name: str | None = None, simulations: int | None = None, temperature: float | None = None
) -> Set:
    """An agent that searches as much as is asked for.

    Args:
        agent: as it was trained.
        name: one of `STRENGTHS`; None: full.
        simulations: of each search, in place of those of the strength; 0: none.
        temperature: in place of that of the strength, see `choose`.

    Raises:
        ConfigError: if the agent cannot search, or not that much.
    """
    chosen = STRENGTHS[name or USUAL]
    trained = agent.config.table("planner").get("simulations")
    count = simulations
    if count is None and chosen.share == 0:
        count = 0
    elif count is None and chosen.share != 1:
        if trained is None:
            able = ", ".join(each for each, strength in STRENGTHS.items() if strength.share in (0, 1))
            raise ConfigError([f"--strength {name}: this agent acts without search; expected {able}"])
        count = min(MOST, max(1, round(chosen.share * trained)))
    made = agent if count is None else agent.limited(count)
    return Set(made, chosen.temperature if temperature is None else temperature)


def choose(thoughts: Thoughts, temperature: float, rng: np.random.Generator) -> int | np.ndarray:
    """The move that is played.

    Args:
        thoughts: of the position.
        temperature: 0 plays the best move.  1 draws each as often as the search, or the policy where it does not
            search, believes in it; more makes the draw more even, less makes it more like the best move.
        rng: draws.
    """
    if temperature <= 0 or not thoughts.moves:
        return thoughts.action
    policy = np.array([move.policy for move in thoughts.moves], np.float64)
    with np.errstate(divide="ignore"):
        logits = np.log(policy) / temperature
    weights = np.exp(logits - logits.max())
    return thoughts.moves[int(rng.choice(len(weights), p=weights / weights.sum()))].action
