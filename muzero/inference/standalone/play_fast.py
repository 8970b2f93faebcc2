"""Play with the exported agent of this folder by the C++ search of `muzero.search`; the options are those of play.py.

It needs the package muzero, of which it imports the search alone: no PyTorch.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from play import LATENT, NEXT, Agent, main, normal

from muzero import search


class FastAgent(Agent):
    """Searches as the agent itself does, with the networks in onnxruntime."""

    def plan(self, found: dict[str, np.ndarray], legal: np.ndarray) -> Any:
        settings = dict(self.search)
        rule = settings.pop("rule")
        # By node: the parts of its latent, as the network takes them.
        latents = {0: {name: part for name, part in found.items() if name.startswith(LATENT)}}

        def expand(parent: np.ndarray, action: np.ndarray, node: np.ndarray) -> search.Evaluation:
            edge = action.astype(np.int64) if action.dtype.kind == "i" else action
            step = self.recurrent(latents[int(parent[0])] | {"action": edge})
            latents[int(node[0])] = {
                LATENT + name.removeprefix(NEXT): part for name, part in step.items() if name.startswith(NEXT)
            }
            return step["reward"], step["discount"], step["value"], step["policy"]

        if rule != "sampled":
            rules = {"gumbel": search.gumbel, "puct": search.puct}
            return int(rules[rule](found["policy"], found["value"], expand, legal=legal[None], **settings).action[0])
        count = settings.pop("samples")

        def expand_normals(parent: np.ndarray, action: np.ndarray, node: np.ndarray) -> search.Evaluation:
            reward, discount, value, policy = expand(parent, action, node)
            return reward, discount, value, normals(policy)

        sampled = search.SampledBox(normals(found["policy"]), expand_normals, count, None, wide=0.0)
        result = search.gumbel(sampled.prior_logits, found["value"], sampled.expand, considered=count, **settings)
        return sampled.resolved(result).chosen[0]


def normals(policy: np.ndarray) -> np.ndarray:
    """[1, 2 D] as `search.SampledBox` takes it."""
    return np.concatenate(normal(policy[0]))[None].astype(np.float32)


if __name__ == "__main__":
    main(FastAgent)
