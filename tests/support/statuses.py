"""Where a run may stand."""

from muzero.training.status import Status

START = Status(
    clock=0.0,
    steps=0,
    goal=10_000,
    start=1000,
    updates=0,
    seconds=0.0,
    done=0.0,
    losses={},
    score=None,
    length=None,
    greedy=None,
    phases={"play": 0.0},
    counters={"environment_faults": 0},
    warnings=(),
)
