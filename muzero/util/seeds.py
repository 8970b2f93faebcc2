"""Seeds that follow from other seeds, each for a purpose in words."""

from __future__ import annotations

import json
from hashlib import blake2b

SCHEME = 2  # saved with games; raised with each change of `derive`, after which older games cannot be played again


def derive(seed: int, *purpose: str | int) -> int:
    """A seed of 63 bits for a purpose: ``derive(seed, "self-play", actor, "slot", 3)``.

    It follows from a hash of all arguments, so different purposes, and the same purpose under neighbouring seeds, have
    unrelated random numbers.  It is the same on all machines and in all versions of Python, and needs no state.

    Args:
        seed: of a run, or one that this function gave.
        purpose: words and numbers that name what the random numbers are for.
    """
    text = json.dumps([int(seed), *(word if isinstance(word, str) else int(word) for word in purpose)])
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little") >> 1


def derive_short(seed: int, *purpose: str | int) -> int:
    """A seed of 31 bits, which every environment and every engine accepts; see `derive`."""
    return derive(seed, *purpose) >> 32
