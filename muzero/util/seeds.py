"""Seeds that follow from other seeds."""

from __future__ import annotations


def derive(seed: int, number: int) -> int:
    """Seed of a slot's game: 31 bits that depend on the slot's seed and the game's number only.

    SplitMix64 (Steele et al. 2014).  A counter, so that games can be brought back without any generator's state.
    """
    bits = 0
    for word in (seed, number):
        bits = (bits + word + 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF
        bits = ((bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
        bits = ((bits ^ (bits >> 27)) * 0x94D049BB133111EB) & 0xFFFFFFFFFFFFFFFF
        bits ^= bits >> 31
    return bits >> 33
