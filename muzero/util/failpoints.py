"""Places at which a test can make the program die or fail: MUZERO_FAILPOINT=checkpoint.before_rename:kill.

The form is PLACE:ACTION[:N], several separated by commas.  The action happens each time that the place is reached, from
the Nth time on (the first unless N is given): "kill" ends the process with SIGKILL, "full" raises the OSError of a
full disk, "trip" makes `failpoint` return true, upon which the place does its own fault, such as poisoning a batch.
"""

import errno
import os
import signal

PLACES = (
    "checkpoint.begin",
    "checkpoint.mid_write",
    "checkpoint.before_sync",
    "checkpoint.before_rename",
    "checkpoint.after_rename",
    "checkpoint.before_prune",
    "checkpoint.mid_prune",
    "log.before_append",
    "log.after_append",
    "learner.after_backward",
    "learner.poison_batch",
    "learner.poison_weights",
    "actor.before_play",
    "actor.after_play",
    "train.after_play",
    "train.after_store",
    "resume.after_restore",
)
ACTIONS = ("kill", "full", "trip")


def armed(text: str) -> dict[str, tuple[str, int]]:
    """Parse the environment variable: place -> (action, N).

    Raises:
        ValueError: if the text has another form, or names an unknown place or action.
    """
    found = {}
    for part in filter(None, text.split(",")):
        place, action, *times = part.split(":")
        if place not in PLACES or action not in ACTIONS or len(times) > 1 or not all(t.isdigit() for t in times):
            raise ValueError(
                f"MUZERO_FAILPOINT: {part!r} is not PLACE:ACTION[:N]; places: {PLACES}, actions: {ACTIONS}"
            )
        found[place] = action, int(times[0]) if times else 1
    return found


ARMED = armed(os.environ.get("MUZERO_FAILPOINT", ""))
reached: dict[str, int] = {}


def failpoint(place: str) -> bool:
    """Perform the action of this place, if it has one; returns whether that is "trip"."""
    if place not in ARMED:
        return False
    action, first = ARMED[place]
    reached[place] = reached.get(place, 0) + 1
    if reached[place] < first:
        return False
    if action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if action == "full":
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    return True
