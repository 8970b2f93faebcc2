"""Finished search trees as pictures."""
