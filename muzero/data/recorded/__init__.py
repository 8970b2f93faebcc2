"""Recorded experience, to learn from without playing: where it comes from, and how it becomes segments."""
