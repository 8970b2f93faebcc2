"""A trained agent in front of people: games from move to move, and what the agent thinks of each move."""
