"""What is played: one file per source of games, each a batch of games side by side (`muzero.interfaces.Games`)."""
