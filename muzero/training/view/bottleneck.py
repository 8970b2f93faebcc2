"""What the time of a run goes into, and what limits it."""

from __future__ import annotations

from collections.abc import Mapping

from muzero.training.status import Status

WAITS, IDLE = 0.5, 0.1  # shares of the time in which the learner waits for games, above and below which that is a limit


def shares(now: Status, before: Status) -> dict[str, float]:
    """The share of the time since an earlier moment of the session by what it was spent on; "rest" is what is left."""
    seconds = max(now.clock - before.clock, 1e-9)
    found = {name: (spent - before.phases.get(name, 0.0)) / seconds for name, spent in now.phases.items()}
    found = {name: min(max(share, 0.0), 1.0) for name, share in found.items()}
    return found | {"rest": max(1 - sum(found.values()), 0.0)}


def limit(now: Status, spent: Mapping[str, float]) -> tuple[str, str]:
    """What limits the run, and what would change that; empty where nothing needs to."""
    play, learn = spent.get("play", 0.0), spent.get("learn", 0.0)
    if spent.get("wait", 0.0) > WAITS:
        return "The run waits for room on the disk.", "Make room: nothing is lost meanwhile."
    if now.steps <= now.start:
        return f"Collecting games: learning begins at {now.start:,} steps.", ""
    if not now.apart:
        return f"One process plays ({play:.0%}) and learns ({learn:.0%}) in turn.", ""
    if play > WAITS:
        more = "Larger run.updates_per_step: more is learned from each step. --actors auto: more processes play."
        return f"The learner waits for games {play:.0%} of the time.", more
    if play < IDLE:
        more = "Smaller run.updates_per_step or model: more steps per second."
        return f"Games wait for the learner, busy {learn:.0%} of the time.", more
    return f"Balanced: the learner waits for games {play:.0%} of the time.", ""
