"""The kinds of players, one file for each; `registry` finds them by name."""
