"""A game played at random before anything is learned: does it work, is it right, and which settings suit it."""
