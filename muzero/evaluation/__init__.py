"""What players are worth: matches, ratings, intervals, positions of perfect play."""
