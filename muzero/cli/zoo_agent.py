"""The folder of a trained agent, written from the folder of a run: see `muzero.cli.zoo`."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from muzero.report.agent_page import thinned
from muzero.report.collect import Run
from muzero.runs import json_lines
from muzero.runs.checkpoint import Checkpoint
from muzero.runs.folder import RunFolder
from muzero.runs.saving import save
from muzero.util.provenance import provenance

Weights = dict[str, np.ndarray]
POINTS = 50  # of each curve
CURVES = ("steps", "updates", "seconds", "cpu_seconds", "self_play_score", "self_play_length")  # beside groups
GROUPS = ("loss/", "health/")


def rounded(found: Checkpoint) -> Weights:
    """A checkpoint's weights in float16, half as large."""
    arrays = found.arrays("model").items()
    return {name: array.astype(np.float16) if array.dtype == np.float32 else array for name, array in arrays}


def copy(run: Run, found: Checkpoint, weights: Weights, files: RunFolder) -> None:
    """Write what an agent has of a run: settings, weights, commands and thinned curves.

    Args:
        run: what was read of the run.
        found: its checkpoint.
        weights: of it.
        files: of the agent.
    """
    notes = {key: found.manifest[key] for key in ("seconds", "fingerprint")}
    save(files.checkpoints, found.step, {"model": weights}, {}, notes)
    files.config.write_text(run.text, "utf-8")
    json_lines.append(files.commands, map(published, run.commands))
    evaluations = [asdict(each) for each in run.evaluations if each.step <= found.step]
    json_lines.append(files.evaluations, thinned(evaluations, POINTS))
    rows = [row for row in run.metrics if row["steps"] <= found.step and any(key.startswith(GROUPS) for key in row)]
    chosen = (
        {key: row[key] for key in row if key in CURVES or key.startswith(GROUPS)} for row in thinned(rows, POINTS)
    )
    json_lines.append(files.metrics, chosen)


def published(note: Mapping[str, Any]) -> dict[str, Any]:
    """A note of a command without names of folders and details of the system."""
    words = shlex.split(str(note["command"]))
    if "--run" in words:
        del words[words.index("--run") : words.index("--run") + 2]
    machine = note["machine"] | {"system": str(note["machine"]["system"]).partition("-")[0]}
    kept = {key: value for key, value in note.items() if key != "folder"}
    return kept | {"command": shlex.join(words), "machine": machine}


def write_entry(files: RunFolder, found: Checkpoint, results: Sequence[Mapping[str, Any]]) -> None:
    """Write what the weights took, and what they score and where that was found."""
    state, where = found.state(), published(provenance())
    entry = {"updates": state["learner"]["updates"], "cpu_seconds": state.get("cpu_seconds")}
    entry |= {"evaluated": {key: where[key] for key in where if key != "command"}, "results": list(results)}
    files.entry.write_text(json.dumps(entry, indent=1) + "\n", "utf-8")
