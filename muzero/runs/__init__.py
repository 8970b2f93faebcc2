"""A run's folder: its lock, checkpoints and evaluations."""
