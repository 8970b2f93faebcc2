"""Who plays: this process, a child process beside it, or actors on Ray; no process where experience was recorded."""

import sys

import torch

from muzero.actors.local import LocalPool
from muzero.actors.pool import ActorPool
from muzero.actors.recorded import RecordedPool
from muzero.config import Config, ConfigError
from muzero.learning.parallel import ALONE, Learners
from muzero.util.cpu import cores

UNFORKABLE = ("jax", "tensorflow")  # libraries whose own threads a forked process lacks and waits for


def gather(config: Config, device: torch.device, learners: Learners = ALONE) -> ActorPool:
    """The pool that the configuration asks for, of one of several learners or of one alone.

    Raises:
        ConfigError: if it cannot be had.
        EnvironmentFault: if an environment of a pool on this machine does not work.
    """
    if config.table("run")["data"]:
        return RecordedPool(config, device)
    if config.table("actors")["count"] == 0:
        return LocalPool(config, device, overlaps(config, device, learners.here), learners.rank)
    from muzero.cluster.pool import RayPool

    return RayPool(config)


def overlaps(config: Config, device: torch.device, here: int = 1) -> bool:
    """Whether games are played in a child process while this one learns.

    here: learners on this machine, which share its cores.

    Raises:
        ConfigError: if that is asked for and is not possible.
    """
    wanted, problem = config.table("actors")["overlap"], obstacle(device)
    if wanted == "on" and problem:
        given = f'[actors] overlap = "on" (from {config.source("actors", "overlap")})'
        raise ConfigError([f'{given}: {problem}; use "auto" or "off"'])
    enough = wanted == "on" or cores() // here > config.table("run")["threads"]
    return wanted != "off" and not problem and enough


def obstacle(device: torch.device) -> str | None:
    """Why a forked process cannot play here; None if it can."""
    if device.type != "cpu":
        return f"the network is on {device}, which a forked process cannot use"
    if sys.platform != "linux":
        return "it needs Linux"
    if torch.cuda.is_initialized():
        return "the environment uses CUDA, which a forked process cannot use"
    loaded = [name for name in UNFORKABLE if name in sys.modules]
    return f"{loaded[0]} is loaded, which a forked process cannot use" if loaded else None
