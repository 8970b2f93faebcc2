"""Games being played: self-play, matches, single positions."""
