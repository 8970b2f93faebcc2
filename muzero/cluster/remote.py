"""What runs in a process of Ray: any object whose methods a driver calls, and the actor of a run."""

from __future__ import annotations

import os
import platform
import traceback
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Any

from muzero.util.messages import pack, unpack

if TYPE_CHECKING:  # a node with other versions is refused before anything else of the package is imported
    from muzero.actors.tasks import Result, Task


def versions() -> dict[str, str]:
    """What must be the same in all processes of a run: name -> version."""
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


@dataclass(frozen=True)
class Raised:
    """An error of a method, as it travels to the driver."""

    text: str  # with the traceback
    cause: bytes | None  # the error, packed; None where it cannot be


class Remote:
    """An object in a process of Ray.

    Arguments and results are packed here and in the driver, so the process between the two needs neither the
    package nor PyTorch.
    """

    def __init__(self, wanted: dict[str, str], folder: str, making: bytes) -> None:
        """Make the object.

        Args:
            wanted: the driver's versions, checked before anything is unpacked.
            folder: the driver's current directory, where a module of the user may lie on this node too.
            making: a class and its arguments, packed.

        Raises:
            RuntimeError: if this node has other versions.
        """
        require(wanted)
        if os.path.isdir(folder):
            os.chdir(folder)
        make, arguments = unpack(making)
        self.made = make(*arguments)

    def call(self, method: str, arguments: bytes, boxed: list[Any]) -> bytes:
        """Call a method.

        Args:
            method: its name.
            arguments: packed.
            boxed: a reference to the published weights, or empty; the method gets a `Published` as its last argument.

        Returns:
            The result or a `Raised`, packed.
        """
        given = unpack(arguments)
        try:
            return pack(getattr(self.made, method)(*given, *map(Published, boxed)))
        except Exception as error:
            text = traceback.format_exc().strip()
            try:
                cause = pack(error)
            except Exception:
                cause = None
            return pack(Raised(text, cause))


class Published:
    """Weights in Ray's object store, fetched only where they are needed."""

    def __init__(self, reference: Any) -> None:
        self.reference = reference

    def get(self) -> Any:
        """Fetch the weights from the object store: arrays by their names in the model."""
        import ray

        return unpack(ray.get(self.reference))


class RemoteActor:
    """An actor that fetches weights where they are new and returns segments as records of the log."""

    def __init__(self, config: str, slot: int, device: str, threads: int) -> None:
        """Build games, model and planner.

        Args:
            config: the run's configuration, as TOML.
            slot: the actor's number.
            device: of the model.
            threads: of PyTorch.
        """
        import torch

        from muzero import build
        from muzero.actors.actor import Actor
        from muzero.config import merge
        from muzero.config.layers import read_text
        from muzero.data.segment_format import Layout

        torch.set_num_threads(threads)
        tables = merge([read_text(config, "the run's configuration")], build.SCHEMA)
        self.actor = Actor(tables, slot, torch.device(device))
        self.layout = Layout(self.actor.games.spec, build.candidates(tables, self.actor.games.spec))

    def where(self) -> str:
        """Node and process, for a person."""
        import ray

        return f"{ray.util.get_node_ip_address()}, process {os.getpid()}"

    def work(self, task: Task, published: Published) -> Result:
        """Do a task, with the weights that it names."""
        from dataclasses import replace

        from muzero.actors.tasks import Played

        if task.version != self.actor.version:
            self.actor.load(published.get(), task.version)
        try:
            result = self.actor.work(task)
        except Exception:
            self.actor.selfplay = None  # its state is unknown: the next task begins new games
            raise
        if not isinstance(result.found, Played):
            return result
        return replace(result, found=result.found.packed(self.layout))
