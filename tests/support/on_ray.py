"""What tests with actors on Ray share."""

import time
from pathlib import Path

GAME = "python/cluster_games:Asked"
LIMIT = 90.0  # seconds until something that is waited for must have happened
SUPPORT = str(Path(__file__).parent)  # for the PYTHONPATH of actors


def take(pool, until=lambda: True):
    """Results, the first after which something holds being the last."""
    found, end = [], time.monotonic() + LIMIT
    while time.monotonic() < end:
        result = pool.next_result(1.0)
        if result is not None:
            found.append(result)
        if found and until():
            return found
    raise AssertionError(f"not within {LIMIT} s: {pool.counts()} {pool.messages()}")


def settled(pool):
    counts = pool.counts()
    assert counts["orders/balance"] == 0
    return counts
