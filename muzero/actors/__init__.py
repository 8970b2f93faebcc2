"""Actors that play, and the pool that a loop takes results from."""
