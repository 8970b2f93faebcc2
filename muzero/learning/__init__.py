"""The learner: one update for each call."""
