"""A dashboard in the terminal, of a run that learns: `muzero-train --view`."""
