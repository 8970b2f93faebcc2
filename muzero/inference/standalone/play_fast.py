"""Play with the exported agent of this folder by the C++ search of `muzero.search`; the options are those of play.py.

It needs the package muzero, of which it imports the search alone: no PyTorch.
"""

from __future__ import annotations

import numpy as np
from play import LATENT, NEXT, Agent, main

from muzero import search


class FastAgent(Agent):
    """Searches as the agent itself does, with the networks in onnxruntime."""

    def plan(self, found: dict[str, np.ndarray], legal: np.ndarray) -> int:
        settings = dict(self.search)
        rule = {"gumbel": search.gumbel, "puct": search.puct}[settings.pop("rule")]
        # By node: the parts of its latent, as the network takes them.
        latents = {0: {name: part for name, part in found.items() if name.startswith(LATENT)}}

        def expand(parent: np.ndarray, action: np.ndarray, node: np.ndarray) -> search.Evaluation:
            step = self.recurrent(latents[int(parent[0])] | {"action": action.astype(np.int64)})
            latents[int(node[0])] = {
                LATENT + name.removeprefix(NEXT): part for name, part in step.items() if name.startswith(NEXT)
            }
            return step["reward"], step["discount"], step["value"], step["policy"]

        return int(rule(found["policy"], found["value"], expand, legal=legal[None], **settings).action[0])


if __name__ == "__main__":
    main(FastAgent)
