"""The rules between settings of different tables."""

from __future__ import annotations

from muzero.config.merge import AtMost, Excludes, Needs, Rule


def bounds(longest: int | None) -> list[Rule]:
    """The rules between settings of different tables.

    longest: steps of the longest game; None if that is not known.
    """
    # A game that was cut short has one row more than steps.
    rows = None if longest is None else longest + 1
    return [
        AtMost("run.start", "run.steps", "the run would end before it has learned anything"),
        AtMost("learner.batch", "replay.capacity", "a batch is drawn from the replay"),
        AtMost("selfplay.segment_steps", "replay.capacity", "the replay takes in whole segments", cap=rows),
        *(
            Needs(f"actors.{name}", "actors.count", f"set actors.count (muzero-train --actors), or actors.{name} = 0")
            for name in ("reanalyse", "evaluate")
        ),
        Needs(
            "objective.age_steps",
            "objective.n_step",
            "values of returns to the end of the game are not bootstrapped; set objective.age_steps = 0",
        ),
        Excludes(
            "run.reanalysed_per_step",
            "actors.count",
            "actors on Ray do not count what they plan again: set run.reanalysed_per_step = 0, and actors.reanalyse to "
            "the number of further actors that do it",
        ),
        Excludes(
            "run.reanalyse_every",
            "run.reanalysed_per_step",
            "both say how many positions are planned again; set one of them to 0",
        ),
        Needs("run.updates", "run.data", "a run that plays ends by its steps; set run.steps, or run.updates = 0"),
        Needs(
            "run.data",
            "run.reanalyse_every",
            "its policy is learned from plans alone; set run.reanalyse_every to the updates in which all are made",
        ),
        Excludes("run.data", "actors.count", "nothing is played; leave actors.count (muzero-train --actors) out"),
        Excludes(
            "run.data",
            "run.reanalysed_per_step",
            "no steps are stored; set run.reanalysed_per_step = 0, and run.reanalyse_every",
        ),
        Needs(
            "run.reanalyse_every",
            "actors.reanalyse",
            "set actors.reanalyse to the number of actors that plan positions again",
            where="actors.count",
        ),
    ]
