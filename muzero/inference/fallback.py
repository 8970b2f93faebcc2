"""What is said where a model cannot be computed in the fastest way."""

from __future__ import annotations

import logging

from muzero.inference.acting import NotInBfloat16
from muzero.inference.bfloat16 import NotTraceable
from muzero.interfaces import WorldModel
from muzero.util.recorded import Recorded

WARNED: set[type[WorldModel]] = set()  # kinds of models whose convolutions could not be computed in bfloat16


def warn_once(kind: type[WorldModel], error: NotTraceable | NotInBfloat16) -> None:
    """Log in one line why models of this kind are slower than they could be: once in a process and its forks."""
    if kind not in WARNED:
        WARNED.add(kind)
        reason = " ".join(str(error).split())
        logging.getLogger(__name__).warning(
            "%s computes in float32, which is slower: it cannot be %s; %s", kind.__name__, error.verb, reason
        )


def record(recorded: Recorded, what: str) -> None:
    """Prepare a recording of what a model computes; nothing if there is one.

    what: is recorded, in words.

    Raises:
        RuntimeError: with the remedy, if it cannot be recorded.
    """
    if recorded.prepared:
        return
    try:
        recorded.prepare()
    except RuntimeError as error:
        raise RuntimeError(
            f"{what} cannot be recorded as a CUDA graph, perhaps because the model reads numbers of tensors in "
            f"Python: {error}; use --set planner.inference=torch"
        ) from error
