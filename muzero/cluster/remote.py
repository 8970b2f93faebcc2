"""What runs in an actor's process on Ray."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from typing import TYPE_CHECKING, Any

import numpy as np

from muzero.data.schema import Segment

if TYPE_CHECKING:  # a node with other versions is refused before anything else of the package is imported
    from muzero.actors.tasks import Result, Task


def versions() -> dict[str, str]:
    """What must be the same in all processes of a run."""
    from muzero import _tree

    return {
        "muzero": metadata.version("muzero"),
        "search extension": _tree.version,
        "Python": platform.python_version(),
    }


def require(wanted: dict[str, str]) -> None:
    """Refuse to work with a driver of other versions.

    Raises:
        RuntimeError: naming both.
    """
    here = versions()
    wrong = [
        f"{name} {here.get(name, 'missing')} on {platform.node()}, {version} in the driver"
        for name, version in wanted.items()
        if here.get(name) != version
    ]
    if wrong:
        raise RuntimeError(f"this node cannot take part: {'; '.join(wrong)}. Install the same everywhere")


class RemoteActor:
    """An actor that fetches weights by reference and hands over segments as records of the log."""

    def __init__(self, config: str, slot: int, wanted: dict[str, str], folder: str, device: str, threads: int) -> None:
        """config: the run's, as TOML.  folder: of the driver, where a module of the user's may lie on this node too."""
        require(wanted)  # before anything is built that may not understand the configuration
        if os.path.isdir(folder):
            os.chdir(folder)
        import torch

        from muzero import build
        from muzero.actors.actor import Actor
        from muzero.config import merge
        from muzero.config.layers import read_text
        from muzero.data.segment_format import Layout

        torch.set_num_threads(threads)
        tables = merge([read_text(config, "the run's configuration")], build.SCHEMA)
        self.actor = Actor(tables, slot, torch.device(device))
        self.layout = Layout(self.actor.games.spec)

    def where(self) -> str:
        """Node and process."""
        import ray

        return f"{ray.util.get_node_ip_address()}, process {os.getpid()}"

    def work(self, task: Task, boxed: list[Any]) -> Result:
        """Do a task.  boxed: the reference to the weights, fetched only where they are new."""
        from dataclasses import replace

        import ray

        from muzero.actors.tasks import Played

        if task.version != self.actor.version:
            weights: dict[str, np.ndarray] = ray.get(boxed[0])
            self.actor.load(weights, task.version)
        try:
            result = self.actor.work(task)
        except Exception:
            self.actor.selfplay = None  # where it broke off nobody knows: new games
            raise
        if not isinstance(result.found, Played):
            return result
        records = [self.layout.pack(part) for part in result.found.segments if isinstance(part, Segment)]
        return replace(result, found=replace(result.found, segments=records))
