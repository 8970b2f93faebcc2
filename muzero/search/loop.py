"""The loop between trees and the evaluation of their leaves: over a whole batch, or over parts of it in turns."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from muzero import _tree

Evaluation = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
"""reward [B], discount [B], value [B] and prior_logits [B, A] of a batch of edges, all float32."""

Expand = Callable[[np.ndarray, np.ndarray, np.ndarray], Evaluation]
"""expand(parent, action, node), int32 [B] each: evaluate `action` from the state kept under `parent`, and keep the
state that it leads to under `node`.  Node 0 is the root and simulation s makes node s + 1; only at max_depth is an
existing node evaluated again, under its own index.  The three arrays may be kept.  A discount lies from -1 to 1 and is
0 where the game ends; rounding beyond that, by at most 0.01, is clipped.  A logit of -inf marks an action that does not
exist: it is never visited.  The search copies what is returned before it reads it."""

Launch = Callable[[np.ndarray, np.ndarray, np.ndarray], Callable[[], Evaluation]]
"""`Expand` for a part of the batch in two steps: begin to evaluate, and return a function that waits for the result."""


def rows_of_parts(batch: int, count: int) -> list[slice]:
    """Rows 0 .. batch - 1 in `count` parts of equal size, give or take one row."""
    return [slice(*ends) for ends in pairwise(batch * part // count for part in range(count + 1))]


def finish(search: _tree.Search, expand: Expand, simulations: int) -> _tree.Search:
    """Search a whole batch to the end."""
    edges = search.select()
    for _ in range(simulations - 1):
        edges = search.step(expand(*edges))
    search.backup(expand(*edges))
    return search


def run(
    begin: Callable[..., _tree.Search],
    rows: dict[str, np.ndarray | None],
    settings: dict[str, Any],
    expand: Expand | Sequence[Launch],
    simulations: int,
) -> list[_tree.Search]:
    """Search a batch to the end.

    Args:
        begin: makes a search; one of the functions of `_tree`.
        rows: its arguments with the batch in front.
        settings: its other arguments, except simulations.
        expand: one function for the whole batch, or one for each part of it.
        simulations: of each search.

    Returns:
        One search for each part.
    """
    if callable(expand):
        return [finish(begin(**rows, **settings, simulations=simulations), expand, simulations)]
    begin(**rows, **settings, simulations=1)  # checks the arguments of all parts at once
    batch = len(rows["value"])  # type: ignore[arg-type]  # an array, or begin raised
    if not 1 <= len(expand) <= batch:
        raise ValueError(f"expand: expected a function, or 1 to {batch} of them for {batch} rows, got {len(expand)}")
    searches = [
        begin(**{name: None if array is None else array[part] for name, array in rows.items()}, **settings,
              simulations=simulations)
        for part in rows_of_parts(batch, len(expand))
    ]  # fmt: skip
    waiting = [launch(*search.select()) for search, launch in zip(searches, expand, strict=True)]
    for _ in range(simulations - 1):
        for index, (search, launch) in enumerate(zip(searches, expand, strict=True)):
            waiting[index] = launch(*search.step(waiting[index]()))
    for search, wait in zip(searches, waiting, strict=True):
        search.backup(wait())
    return searches
