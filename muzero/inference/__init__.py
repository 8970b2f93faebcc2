"""A model's part of a search: gather the parents' latents, imagine, predict, keep the new latents, as one call.

`simulating` begins a search.  Buffers and compiled networks are kept in `model.simulators` for the next search; None
drops them.
"""

from muzero.inference import forking as forking  # what it registers must be in place before a process can fork
from muzero.inference.observation import observed, observed_first
from muzero.inference.simulation import Path, fastest, simulating
from muzero.inference.step import to_numpy
from muzero.interfaces import observe_first

__all__ = ["Path", "fastest", "observe_first", "observed", "observed_first", "simulating", "to_numpy"]
