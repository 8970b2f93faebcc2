"""Named places at which a test can make the program die or fail: MUZERO_FAILPOINT=checkpoint.before_rename:kill.

The form is PLACE:ACTION[:N], several separated by commas.  From the Nth time on that the place is reached (the first
unless N is given), the action happens: "kill" ends the process as SIGKILL does, "full" raises the OSError of a full
disk, and "trip" lets the place do what it is there for, such as poisoning a batch.
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
    "train.after_play",
    "train.after_store",
    "resume.after_restore",
)
ACTIONS = ("kill", "full", "trip")


def armed(text: str) -> dict[str, tuple[str, int]]:
    """What the environment variable asks for: place -> action, and the time from which on.

    Raises:
        ValueError: if it is no such list, or a place or an action does not exist.
    """
    found = {}
    for part in filter(None, text.split(",")):
        place, action, *times = part.split(":")
        if place not in PLACES or action not in ACTIONS or len(times) > 1 or not all(t.isdigit() for t in times):
            raise ValueError(f"MUZERO_FAILPOINT: {part!r} is no PLACE:ACTION[:N] of {PLACES} and {ACTIONS}")
        found[place] = action, int(times[0]) if times else 1
    return found


ARMED = armed(os.environ.get("MUZERO_FAILPOINT", ""))
reached: dict[str, int] = {}


def failpoint(place: str) -> bool:
    """Do what was asked for here, if anything; true if that is to "trip"."""
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
