"""A model's part of a search: gather the parents' latents, imagine, predict, keep the new latents, as one call.

`simulating` begins a search.  The same model and batch shape use the same buffers, search after search.
"""

from muzero.inference.simulation import Path, fastest, simulating
from muzero.inference.step import to_numpy
from muzero.interfaces import observe_first

__all__ = ["Path", "fastest", "observe_first", "simulating", "to_numpy"]
