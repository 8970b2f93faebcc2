"""The conformance suite for a user's environment: what a run relies on, checked by random play within a time limit."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import NamedTuple

from muzero.games.errors import Unplayable
from muzero.interfaces import EnvironmentFault, Games, GameSpec
from muzero.trials.conformance_play import Play, play
from muzero.trials.findings import ERRORS, FORM, MASKS, OBSERVATIONS, REWARDS, Finding, Outcome, of_fault
from muzero.trials.first_steps import course, difference

STEPS = 2_000  # of random play
COURSE = 200  # steps that are played again
PLAY, ONCE = 0.4, 0.5  # shares of the time that have passed when random play, and a course to be repeated, end
LATE = "no time was left for it: give more with --seconds"
MADE, ENDS, SPEED, SEEDS, INSTANCES = "making it", "ends", "speed", "seeds", "instances"
NAMES = (MADE, FORM, ERRORS, OBSERVATIONS, REWARDS, MASKS, ENDS, SPEED, SEEDS, INSTANCES)


class Ranges(NamedTuple):
    """The ranges of numbers that the settings of a run give a model."""

    reward: float
    source: str  # where the limit was set


def check(
    make: Callable[[int], Games], ranges: Callable[[GameSpec], Ranges | None], seconds: float
) -> Iterator[Outcome]:
    """Check an environment; every outcome is shown as soon as it is known.

    Args:
        make: makes that many games side by side.
        ranges: of a game's numbers, where they are fixed before it was played.
        seconds: for everything; what is left out then is said.

    Raises:
        UnknownGame: if there is no such game.
        ConfigError: if its settings are wrong.
    """
    begun = time.monotonic()
    try:
        games = make(2)
    except (Unplayable, EnvironmentFault) as error:
        yield Outcome(MADE, "", (_unmade(str(error)),))
        yield from _rest(MADE, "there is no game to play")
        return
    with closing(games):
        spec = games.spec
        shape = "x".join(map(str, spec.observation))
        yield Outcome(MADE, f"observations {shape} {spec.dtype}, {spec.actions.describe()}{_players(spec)}")
        seen = play(games, STEPS, begun + PLAY * seconds)
        yield from _of_play(games, seen, ranges(spec))
    if seen.faults:
        yield from _rest(ENDS, "games break off before their end")
        return
    yield from _repeated(make, begun + ONCE * seconds, begun + seconds)


def _players(spec: GameSpec) -> str:
    return ", two players" if spec.two_player else ""


def _unmade(message: str) -> Finding:
    seen, _, expected = message.partition("; expected ")
    if not expected:
        seen, _, remedy = message.partition("; ")
        return Finding(seen, "spaces and a constructor that can be used", remedy or "mend what the message names")
    return Finding(seen, expected, "give the class spaces and members of this form")


def _rest(after: str, why: str) -> Iterator[Outcome]:
    """The checks behind one, which cannot be made."""
    for name in NAMES[NAMES.index(after) + 1 :]:
        yield Outcome(name, why, checked=False)


def _of_play(games: Games, seen: Play, ranges: Ranges | None) -> Iterator[Outcome]:
    """What random play showed."""
    found: dict[str, list[Finding]] = {}
    for message in seen.faults:
        check, finding = of_fault(message)
        found.setdefault(check, []).append(finding)
    spec = games.spec
    steps = f"{seen.steps:,} steps of random play"
    about = {
        FORM: "reset and step return what they should",
        ERRORS: f"no exception in {steps}",
        OBSERVATIONS: seen.range_of_observations(),
        REWARDS: f"{seen.smallest:.4g} to {seen.largest:.4g}" + ("" if seen.rewards else ": no reward but 0 was seen"),
        MASKS: seen.about_masks(spec),
        ENDS: seen.about_ends(spec),
        SPEED: f"{1e3 * seen.seconds_per_step:.3g} ms a step, {1 / max(seen.seconds_per_step, 1e-9):,.0f} a second",
    }
    more = {
        OBSERVATIONS: seen.findings_of_observations(),
        REWARDS: _beyond(seen, ranges),
        MASKS: seen.findings_of_masks(spec),
        ENDS: seen.findings_of_ends(spec),
        SPEED: seen.findings_of_speed(),
    }
    for name in about if not seen.faults else list(about)[:-1]:
        findings = [*found.get(name, []), *more.get(name, [])]
        played = seen.steps or findings or name == FORM
        yield Outcome(name, about[name] if played else "no step could be taken", tuple(findings), bool(played))


def _beyond(seen: Play, ranges: Ranges | None) -> list[Finding]:
    """Rewards that the settings clamp."""
    size = max(abs(seen.smallest), abs(seen.largest))
    if ranges is None or size <= ranges.reward:
        return []
    limit = f"at most {ranges.reward:g}, which is model.reward_limit (from {ranges.source}); what is beyond is clamped"
    return [Finding(f"rewards of up to {size:g}", limit, f"--set model.reward_limit={size:g}, or scale the rewards")]


def _repeated(make: Callable[[int], Games], once: float, end: float) -> Iterator[Outcome]:
    """Games played again: in new instances, in used ones, and beside others.

    Args:
        make: makes games.
        once: seconds of time.monotonic() after which the course that is repeated is not extended.
        end: seconds of time.monotonic() after which nothing is repeated.
    """
    with closing(make(1)) as one, closing(make(1)) as other:
        try:
            first = course(one, COURSE, until=max(once, time.monotonic() + (end - time.monotonic()) / 5))
            steps = len(first) - 1
            again, used = course(other, steps, until=end), course(one, steps, until=end)
            different = course(other, steps, seed=1, until=end)
        except EnvironmentFault as error:
            yield Outcome(SEEDS, "", (of_fault(str(error))[1],))
            yield from _rest(SEEDS, "games break off before their end")
            return
    findings = _seeds(difference(first, again), difference(first, used))
    steps = min(map(len, (first, again, used))) - 1
    about = f"the same seed gives the same game for {steps:,} step{'s' * (steps != 1)}"
    if difference(first, different) is None:
        about += "; so does any other seed: there is no chance in it, or reset(seed) ignores the seed"
    checked = bool(steps or findings)
    yield Outcome(SEEDS, about if checked else LATE, tuple(findings), checked)
    if not checked or any(finding.fault for finding in findings):
        why = "seeds do not repeat games, so two of them cannot be compared" if findings else LATE
        yield Outcome(INSTANCES, why, checked=False)
        return
    with closing(make(2)) as both:
        try:
            beside = course(both, len(first) - 1, until=end)
        except EnvironmentFault as error:
            yield Outcome(INSTANCES, "", (of_fault(str(error))[1],))
            return
    about = "two side by side do not influence each other" if len(beside) > 1 else LATE
    yield Outcome(INSTANCES, about, tuple(_shared(difference(first, beside, 1))), len(beside) > 1)


GENERATOR = "draw from a generator made of the seed in reset: super().reset(seed=seed), then self.np_random"


def _seeds(fresh: tuple[str, int] | None, used: tuple[str, int] | None) -> list[Finding]:
    if fresh is not None:
        what, step = fresh
        if step == 0:
            seen = f"two games that began with reset(seed=0) show different things at once ({what})"
        else:
            seen = f"two games of the same seed and actions differ at step {step} ({what})"
        return [Finding(seen, "the seed decides everything random, so that runs can be repeated", GENERATOR)]
    if used is None:
        return []
    what, step = used
    seen = f"after another game, reset(seed=0) begins one that differs from the first at step {step} ({what})"
    remedy = "set every member in reset, not in __init__; " + GENERATOR
    if step:  # as physics engines do, which keep contacts: a game is learned from all the same
        remedy = "make a new simulation in reset; otherwise runs learn, but are not repeated or resumed exactly"
    return [
        Finding(seen, "reset(seed) puts everything back, and the seed decides all that is random", remedy, not step)
    ]


def _shared(found: tuple[str, int] | None) -> list[Finding]:
    if found is None:
        return []
    what, step = found
    seen = f"with another instance beside it, a game of the same seed and actions differs at step {step} ({what})"
    remedy = "keep state in self, not in the class, the module or np.random; return a copy of a shared array"
    return [Finding(seen, "instances share nothing: a run plays many of them side by side", remedy)]
