"""Checks of what a checkpoint of a run holds, before anything of the run is changed."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from muzero.runs.value_checks import brief, number, table, whole


class PlainPart(Protocol):
    """A part whose state is one plain value."""

    def state(self) -> Any:
        """The value from which `restore` makes the same."""

    def check(self, value: Any) -> None:
        """Raise ValueError if this is not such a value."""

    def restore(self, value: Any) -> None:
        """Continue with the state that this value describes."""


def check_state(state: dict[str, Any]) -> None:
    """Refuse a state.json with values of another type or out of range.

    Raises:
        ValueError: naming the field.
    """
    learner = table("learner", state.get("learner"), "updates", "skipped")
    replay = table("replay", state.get("replay"), "rng", "largest", "log", "ledger")
    ledger = table("replay.ledger", replay["ledger"], "submitted", "acknowledged", "failed")
    actor = table("actor", state.get("actor"), "incarnation")
    log = table("replay.log", replay["log"], "oldest", "end")
    for name, values in (("learner", learner), ("replay.ledger", ledger)):
        for key, value in values.items():
            whole(f"{name}.{key}", value)
    for key in ("written", "first", "steps", "duplicates"):
        whole(f"replay.{key}", replay.get(key))
    whole("replay.passed", replay.get("passed", 0))  # older checkpoints have none
    number("replay.largest", replay["largest"], 0.0)
    whole("actor.incarnation", actor["incarnation"])
    for key in ("oldest", "end"):
        if not isinstance(log[key], list) or len(log[key]) != 2:
            raise ValueError(f"replay.log.{key}: expected a file and an offset, got {brief(log[key])}")
        for value in log[key]:
            whole(f"replay.log.{key}", value)
    for values in (replay, actor):
        if "rng" in values:
            np.random.default_rng().bit_generator.state = values["rng"]


def check_arrays(replay: dict[str, np.ndarray]) -> None:
    """Refuse arrays that a replay cannot have saved.

    Raises:
        ValueError: saying what was expected.
    """
    priority = replay["priority"]
    if priority.ndim != 1 or priority.dtype.kind != "f" or (priority < 0).any():
        raise ValueError(f"replay.priority: expected numbers from 0 [N], got {priority.dtype} {priority.shape}")
