"""Evaluation of players: matches, ratings, intervals, comparison with perfect play."""
