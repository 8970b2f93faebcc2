"""Learning to a score with the shipped configurations: minutes each, so marked slow."""

import json
import subprocess
import sys

import pytest
from commands import code

pytestmark = pytest.mark.slow


def command(name, *words, folder):
    """Run a command that gives no warning: these runs are healthy."""
    result = subprocess.run([sys.executable, "-c", code(name), *words], cwd=folder, check=True, stdout=subprocess.PIPE)
    print(result.stdout.decode())
    assert b"warning:" not in result.stdout


def test_tic_tac_toe_is_learned_to_perfect_play(tmp_path):
    command("train", "--game", "board/tic_tac_toe", "--run", "run", folder=tmp_path)
    command("evaluate", "run", "--against", "minimax", "--games", "1000", "--json", "out.json", folder=tmp_path)
    report = json.loads((tmp_path / "out.json").read_text())
    assert report["losses"] == 0
    assert report["all_positions"]["optimal"] >= 0.99


def test_cartpole_is_balanced_in_four_of_five_seeds(tmp_path):
    means = []
    for seed in range(5):
        run = f"seed{seed}"
        command("train", "--game", "gym/CartPole-v1", "--seed", str(seed), "--run", run, folder=tmp_path)
        command("evaluate", run, "--games", "100", "--json", f"{run}.json", folder=tmp_path)
        report = json.loads((tmp_path / f"{run}.json").read_text())
        assert report["step"] <= 25_000
        means.append(report["mean"])
    print(means)
    assert sum(mean >= 475 for mean in means) >= 4
