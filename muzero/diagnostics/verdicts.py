"""What is wrong with a run, in words: a likely cause and the nearest remedy, each reported once."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

PATIENCE = 12  # measurements in a row that must say the same: a minute or more
LEAST_UPDATES = 500  # before which a model has learned too little to be judged
EARLY = 0.25  # share of a run in which a policy should still explore
BEGUN = 0.1  # share of a run after which a search should have something to say
DECIDED = 0.02  # share of the uniform policy's entropy below which a policy is as good as certain
UNDECIDED = 0.5  # and above which it has made hardly any choice
STILL = 0.003  # nats by which a search moves a policy, at most, if it does nothing
WORSE = 0.1  # share of the variance of returns by which the search's values may fall behind those of the value head
AT_EDGE = 0.2  # share of values at the edge of their range
FRESH = 0.03  # lag of the newest steps up to which their search's values can be compared with those of the head
DRIFTED = 0.9  # share of the variance of values, and of latents, that imagination may leave unexplained
STARVED = 0.75  # share of the time in which the learner waits for games: two games' processes would play in half
OLD = 0.5  # of all updates: even the newest experience is from the first half of what was learned


class Numbers(dict[str, float]):
    """Measured numbers; one that is missing is NaN, which no rule holds for."""

    def __missing__(self, name: str) -> float:
        return math.nan


class Rule(NamedTuple):
    """A fault: when it holds of the numbers and of the share of the run that is done, and what to say then."""

    name: str
    holds: Callable[[Numbers, float], bool]
    text: str  # formatted with the numbers, and `done`


RULES = (
    Rule(
        "collapsed",
        lambda n, done: done < EARLY and n["policy_entropy"] < DECIDED and n["search_entropy"] < DECIDED,
        "the policy has collapsed: after {done:.0%} of the run it keeps {policy_entropy:.1%} of the entropy of a "
        "uniform policy, and the search's policy {search_entropy:.1%}, so self-play hardly explores; unless the game "
        "is learned already, the search trusts its first values too much: lower planner.value_scale (gumbel) or raise "
        "planner.dirichlet_fraction (puct), or set selfplay.random_actions to 0.1",
    ),
    Rule(
        "edge",
        lambda n, done: n["value_edge"] > AT_EDGE,
        "values are at the edge of the model's range: {value_edge:.0%} of them; if returns are that large, raise "
        "model.value_limit; if they are not, value targets run away: lower learner.learning_rate or raise "
        "objective.n_step",
    ),
    Rule(
        "drift",
        lambda n, done: n["value_drift"] > DRIFTED and n["drift_last"] > DRIFTED,
        "imagined latents drift: after the last unrolled step they leave {drift_last:.0%} of the variance of observed "
        "latents unexplained, and {value_drift:.0%} of that of their values, so a search sees little that is true; "
        "set objective.latent_weight or objective.consistency_weight to 1 or more, or raise objective.unroll",
    ),
    Rule(
        "misled",
        lambda n, done: n["search_lead"] < -WORSE and n["replay_lag"] < FRESH,
        "the search is worse than its policy: its values explain less of the variance of returns than those of the "
        "value head alone (health/search_lead is {search_lead:.2f}), so imagination misleads it: set "
        "objective.latent_weight to 1, or raise objective.unroll or planner.simulations",
    ),
    Rule(
        "idle",
        lambda n, done: (
            done > BEGUN and n["search_gain"] < STILL and n["policy_entropy"] > UNDECIDED and n["search_lead"] < WORSE
        ),
        "the search is not better than its policy: they differ by {search_gain:.4f} nats although the policy is "
        "undecided ({policy_entropy:.0%} of the entropy of a uniform one), and its values predict returns no better; "
        "raise planner.value_scale or planner.simulations, and check that rewards reach the model (loss/reward)",
    ),
    Rule(
        "old",
        lambda n, done: n["replay_lag"] > OLD,
        "the replay is too old: even its newest steps were planned by weights that are {replay_lag:.0%} of all updates "
        "old, and those of a batch {replay_age:,.0f} updates on average; actors get new weights too late or deliver "
        "segments too late: lower run.play, selfplay.segment_steps or run.updates_per_step, or use fewer actors",
    ),
    Rule(
        "starved",
        lambda n, done: n["learner_waits"] > STARVED,
        "the learner starves: it waits for games {learner_waits:.0%} of the time; learn more from each step (raise "
        "run.updates_per_step), play with more processes (--actors auto), or search less (lower planner.simulations)",
    ),
)


class Verdicts:
    """Reports faults that persist."""

    def __init__(self) -> None:
        self.in_a_row = {rule.name: 0 for rule in RULES}
        self.reported: set[str] = set()  # names of rules

    def judge(self, measured: Mapping[str, float], updates: int, done: float) -> list[str]:
        """What is wrong and was not reported yet.

        Args:
            measured: numbers by name; see `muzero.diagnostics.measures`.
            updates: of the learner so far.
            done: share of the run that is done, 0 to 1.
        """
        if updates < LEAST_UPDATES:
            return []
        numbers, found = Numbers(measured), []
        for rule in RULES:
            held = rule.holds(numbers, done)
            self.in_a_row[rule.name] = self.in_a_row[rule.name] + 1 if held else 0
            if self.in_a_row[rule.name] == PATIENCE and rule.name not in self.reported:
                self.reported.add(rule.name)
                found.append(rule.text.format(**numbers, done=done))
        return found
