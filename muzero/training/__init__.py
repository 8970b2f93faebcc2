"""The training loop and what it shows and saves."""
