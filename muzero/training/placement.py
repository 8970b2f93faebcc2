"""Who plays: this process, or actors on Ray."""

import torch

from muzero.actors.pool import ActorPool, LocalPool
from muzero.config import Config


def gather(config: Config, device: torch.device) -> ActorPool:
    """The pool that the configuration asks for.

    Raises:
        ConfigError: if it cannot be had.
    """
    if config.table("actors")["count"] == 0:
        return LocalPool(config, device)
    from muzero.cluster.pool import RayPool

    return RayPool(config)
