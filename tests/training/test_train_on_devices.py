"""muzero-train on every device: a run trains, plans again, evaluates, saves, and is resumed there or on another."""

import json

import pytest
from commands import command

from muzero.runs import checkpoint

GAMES = """
import numpy as np
from gymnasium import spaces


class Walk:
    '''Walk to the right end of a corridor in at most 20 steps; the cell is marked in a vector.'''

    observation_space = spaces.Box(0, 1, (9,), np.float32)
    action_space = spaces.Discrete(2)

    def reset(self, seed=None, options=None):
        self.cell, self.steps = 2, 0
        return self.seen(), {}

    def seen(self):
        return np.eye(9, dtype=np.float32)[self.cell]

    def step(self, action):
        self.cell, self.steps = min(max(self.cell + 2 * int(action) - 1, 0), 8), self.steps + 1
        return self.seen(), float(self.cell == 8), self.cell == 8, self.steps == 20, {}


class Image(Walk):
    '''The same as an image with one plane.'''

    observation_space = spaces.Box(0, 255, (1, 12, 12), np.uint8)

    def seen(self):
        image = np.zeros((1, 12, 12), np.uint8)
        image[0, :, self.cell] = 255
        return image
"""
SETTINGS = {
    "run": {
        "start": 100,
        "games": 4,
        "play": 4,
        "updates_per_step": 0.1,
        "reanalysed_per_step": 1.0,
        "save_every": 100,
        "evaluate_every": 100,
        "evaluation_games": 2,
    },
    "planner": {"simulations": 4},
    "objective": {"projection": 16, "bootstrap": "target"},
    "learner": {"batch": 16, "average": 0.9, "target_every": 3, "compile": "off"},
    "replay": {"capacity": 500, "priority_exponent": 0.6},
}
MODELS = {"Walk": {"width": 16, "hidden": 16}, "Image": {"channels": 8, "hidden": 16, "smallest_side": 6}}
GPU = pytest.mark.gpu
CASES = [
    ("Walk", "cpu", "cpu"),
    ("Image", "cpu", "cpu"),
    pytest.param("Walk", "cpu", "cuda", marks=GPU),
    pytest.param("Image", "cuda", "cuda", marks=GPU),
    pytest.param("Image", "cuda", "cpu", marks=GPU),
]


def trained(folder, fresh, *words):
    """The newest checkpoint that muzero-train leaves."""
    result = command("train", *words, folder=folder, fresh=fresh)
    assert result.returncode == 0, result.stdout + result.stderr
    found, problems = checkpoint.latest(folder / "run" / "checkpoints")
    assert not problems
    return found


@pytest.mark.parametrize(("game", "first", "second"), CASES)
def test_a_run_trains_saves_and_is_resumed(tmp_path, game, first, second):
    (tmp_path / "own_games.py").write_text(GAMES)
    tables = SETTINGS | {"model": MODELS[game]}
    settings = [f"{table}.{key}={value}" for table, keys in tables.items() for key, value in keys.items()]
    words = ["--run", "run", *(word for setting in settings for word in ("--set", setting))]
    words += ["--game", f"python/own_games:{game}", "--steps", "200", "--device", first]
    fresh = "cuda" in (first, second)  # processes: a forked one cannot use a GPU that this one has used
    before = trained(tmp_path, fresh, *words)
    assert before.step >= 200
    after = trained(tmp_path, fresh, "--resume", "run", "--trust", "--steps", "400", "--device", second)
    assert after.step >= 400
    for found in (before, after):
        assert found.state()["learner"] == {"updates": int((found.step - 100) * 0.1), "skipped": 0}
    rows = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert rows[-1]["steps"] >= 400 and any("evaluation/trained" in row for row in rows)
