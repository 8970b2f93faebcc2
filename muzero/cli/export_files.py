"""The files of an exported agent: two networks, what is to be known of them, and programs that play."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from muzero import build
from muzero.actions import Discrete
from muzero.agent import Agent
from muzero.config import ConfigError
from muzero.inference import standalone
from muzero.inference.export import OPSET, TOLERANCE, Network, described_in, networks
from muzero.inference.onnx_graph import NotExportable
from muzero.planners.searching import TreePlanner
from muzero.runs.saving import free
from muzero.util.files import sync
from muzero.util.provenance import versions
from muzero.util.text import printable

FORMAT, VERSION = "muzero-onnx", 1
MANIFEST = "manifest.json"
PROGRAMS = ("play.py", "play_fast.py")
CONVENTIONS = {
    "policy": "what the network puts out: logits of the actions; or, where these are numbers, means and deviations: "
    "the middle of the policy is tanh(5 tanh(mean / 5))",
    "value": "expected return in reward units, seen by the player to move in that state",
    "reward": "of the step, to the player who moved",
    "discount": "of the step: 0 where the game ends, negative where the turn passes to the opponent; the return of an "
    "action is reward + discount * value of the state that it leads to",
    "latent": "what a network gives as next.NAME, it takes as latent.NAME for the next step",
    "observation": "as the game shows it to the player to move; the network multiplies it by its factor itself",
}


def contents(agent: Agent) -> dict[str, bytes]:
    """The files of an export, by their names.

    Raises:
        ConfigError: if the agent's model cannot be exported.
    """
    try:
        made = networks(agent.player.model, agent.spec, agent.player.planner.kappa(explore=False))
    except NotExportable as error:
        name = type(agent.player.model).__name__
        raise ConfigError([f"{name} cannot be exported; {error}"]) from error
    facts = described(agent, made)
    known = {key: value if isinstance(value, str) else json.dumps(value) for key, value in facts.items()}
    text = "\n".join(f"{name}: {what}." for name, what in CONVENTIONS.items())
    files = {f"{network.name}.onnx": described_in(network, known, text) for network in made}
    facts["networks"] = {
        network.name: {
            "file": name,
            "bytes": len(files[name]),
            "sha256": hashlib.sha256(files[name]).hexdigest(),
            "inputs": network.inputs,
            "outputs": network.outputs,
        }
        for network in made
        for name in [f"{network.name}.onnx"]
    }
    files[MANIFEST] = (json.dumps(facts, indent=1) + "\n").encode()
    folder = Path(standalone.__path__[0])
    return files | {name: (folder / name).read_bytes() for name in PROGRAMS}


def described(agent: Agent, made: tuple[Network, ...]) -> dict[str, Any]:
    """What is to be known of an agent and its networks, as plain values."""
    spec, model, planner = agent.spec, agent.player.model, agent.player.planner
    latent = made[1].inputs.items()
    search = {"rule": "policy"}
    if isinstance(planner, TreePlanner):
        search = planner.exported(spec.actions)
    return {
        "format": FORMAT,
        "version": VERSION,
        "game": spec.name,
        "environment": plain(agent.config.table("game")),
        "step": agent.step,
        "opset": OPSET,
        "observation": {
            "shape": list(spec.observation),
            "dtype": spec.dtype,
            "factor": 1 / 255 if spec.dtype == "uint8" else 1.0,
        },
        "actions": actions(agent),
        "players": 2 if spec.two_player else 1,
        "discounts": list(spec.discounts),
        "ranges": {name: list(ends) for name, ends in model.ranges.items()},
        "atoms": agent.config.table("model").get("atoms"),
        "images": getattr(model, "images", 1),
        "latent": {name.removeprefix("latent."): kind for name, kind in latent if name.startswith("latent.")},
        "planner": agent.config.kind("planner"),
        "search": search,
        "agreement": {"largest_difference": max(each.difference for each in made), "tolerance": TOLERANCE},
        "conventions": CONVENTIONS,
        "versions": versions(),
    }


def actions(agent: Agent) -> dict[str, Any]:
    """The actions as a network takes them, and as the game's own library does."""
    space = agent.spec.actions
    with closing(build.games(agent.config, 1, training=False)) as games:
        if isinstance(space, Discrete):
            native = [plain(games.native(action)) for action in range(space.n)]
            same = native == list(range(space.n))
            return {"kind": "discrete", "count": space.n, "names": list(space.names), "native": [] if same else native}
        low, high = (np.asarray(games.native(np.full(space.shape, end, np.float32))) for end in (-1, 1))
        bounds = {"low": low.tolist(), "high": high.tolist(), "dtype": str(low.dtype)}
        return {"kind": "box", "size": space.width, **bounds}


def plain(value: Any) -> Any:
    """A value as JSON can hold it."""
    if isinstance(value, Mapping):
        return {key: plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def write(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write a folder that appears as a whole, under its name by one rename.

    Raises:
        ConfigError: if something lies there by now.
        OSError: if it cannot be written; nothing is left behind.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    aside = free(folder.parent, f".writing-{os.getpid()}-{folder.name}")
    aside.mkdir()
    try:
        for name, content in files.items():
            (aside / name).write_bytes(content)
            sync(aside / name)
        sync(aside)
        if os.path.lexists(folder):
            raise ConfigError([f"--onnx {folder} exists by now; name another folder"])
        aside.rename(folder)
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise
    sync(folder.parent)


def about(files: Mapping[str, bytes]) -> str:
    """What was written, in a few lines."""
    facts = json.loads(files[MANIFEST])
    lines = [f"{name:24} {len(content):>11,} bytes" for name, content in files.items()]
    images = f", averaged over {facts['images']} images of the board" if facts["images"] > 1 else ""
    if facts["search"]["rule"] == "policy" and facts["planner"] != "reactive":
        lines.append(f"planner {facts['planner']} is not part of an export: play.py acts by the policy alone")
    agreed = facts["agreement"]["largest_difference"]
    lines.append(f"{printable(facts['game'])} at step {facts['step']:,}{images}; opset {OPSET}")
    lines.append(f"outputs differ from PyTorch's by at most {agreed:.1e}, where they were compared")
    return "\n".join(lines)
