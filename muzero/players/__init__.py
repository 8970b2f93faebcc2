"""Who plays: one file per kind of player; `muzero/build.py` knows them by name."""
