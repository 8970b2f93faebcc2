"""What a check of an environment found: in words, with what was expected and the remedy."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

State = Literal["ok", "fault", "remark", "not checked"]


class Finding(NamedTuple):
    """One thing that an environment should do in another way."""

    seen: str
    expected: str
    remedy: str
    fault: bool = True  # false: a remark, the game can be learned as it is


class Outcome(NamedTuple):
    """What one check gave."""

    check: str
    about: str  # what was checked, in a few words with figures; or why it was not
    findings: tuple[Finding, ...] = ()
    checked: bool = True

    @property
    def state(self) -> State:
        """The worst of its findings."""
        if not self.checked:
            return "not checked"
        if any(finding.fault for finding in self.findings):
            return "fault"
        return "remark" if self.findings else "ok"


class Kind(NamedTuple):
    """A kind of fault that the package notices while it plays."""

    check: str
    pattern: str  # in the message
    expected: str  # where the message does not say it
    remedy: str


MASKS, REWARDS, OBSERVATIONS, FORM, ERRORS = "masks", "rewards", "observations", "form", "errors"
KINDS = [
    Kind(
        MASKS,
        r"action_mask|legal\(\)|no action is legal|legal actions are",
        "at least one legal action in every position that is not the end",
        "mask = np.zeros(n, bool); mask[the legal numbers] = True; end the game where none is left",
    ),
    Kind(
        REWARDS,
        r"^reward ",
        "a finite number in every step",
        "look for a division by 0 or an overflow where the reward is made; return float(reward)",
    ),
    Kind(
        OBSERVATIONS,
        r"^observation",
        "finite numbers of the declared shape in every step",
        "return np.asarray(observation, dtype) of observation_space's shape, and keep NaN and infinity out of it",
    ),
    Kind(
        FORM,
        r"takes no seed|in gym before 0.26|^(step|reset) returned|^(terminated|truncated|over) is|^to_move\(\)",
        "the form of gymnasium, or that of a two-player game",
        "reset(seed) returns observation, info; step(action) returns observation, reward, terminated, truncated, info",
    ),
]
OTHER = Kind(ERRORS, "", "no exception", "mend the line that is named; python -m pdb stops there")
PLACE = re.compile(r"^(.*, step \d+ of game -?\d+ from seed -?\d+(?:, action [^:]*)?): (.*)$", re.DOTALL)


def of_fault(message: str) -> tuple[str, Finding]:
    """The check that a fault belongs to, and the fault as a finding.  message: as `Games` describes it."""
    place = PLACE.match(message)
    where, what = (place[1], place[2]) if place else ("", message)
    what = what.removeprefix("ValueError: ")
    kind = next((kind for kind in KINDS if re.search(kind.pattern, what)), OTHER)
    seen, expected, remedy = what, kind.expected, kind.remedy
    if found := re.search("[;,] expected ", what):
        seen, expected = what[: found.start()], what[found.end() :]
    elif "; " in what and kind.check == FORM:
        seen, _, remedy = what.partition("; ")
    step = re.search(r"step \d+ of game \d+.*", where)
    return kind.check, Finding(f"{seen} ({step[0]})" if step else seen, expected, remedy)
