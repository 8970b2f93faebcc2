"""Who plays: this process, or actors on Ray."""

import torch

from muzero.actors.pool import Crew, LocalCrew
from muzero.config import Config


def gather(config: Config, device: torch.device) -> Crew:
    """The crew that the configuration asks for.

    Raises:
        ConfigError: if it cannot be had.
    """
    if config.table("actors")["count"] == 0:
        return LocalCrew(config, device)
    from muzero.cluster.pool import RayCrew

    return RayCrew(config)
