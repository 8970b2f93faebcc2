"""muzero-bench runs what it names, and names what it does not know."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from commands import sets

from muzero.cli.bench import bench_command
from muzero.cli.train import train_command

FEW = Path(__file__).parents[1] / "data" / "connect4" / "positions.jsonl"  # with the scores of all moves


def test_a_misspelt_benchmark_names_the_nearest(capsys):
    assert bench_command(["serach"]) == 2
    assert "no benchmark 'serach'; did you mean search?" in capsys.readouterr().err


def test_help_lists_the_benchmarks(capsys):
    assert bench_command(["--help"]) == 0
    assert "muzero-bench search" in capsys.readouterr().out


def test_what_members_cost_is_measured_beside_one(capsys):
    assert bench_command(["members", "--game", "gym/Pendulum-v1", "--rounds", "1", "--members", "2"]) == 0
    printed = capsys.readouterr().out
    assert "2 members, ms" in printed and "update" in printed and "search" in printed


def test_a_misspelt_part_of_a_benchmark_is_refused(capsys):
    with pytest.raises(SystemExit):
        bench_command(["gpu", "--device", "cpu", "--only", "machine,serach"])
    assert "--only: no part 'serach'; expected machine, update," in capsys.readouterr().err


def test_a_planner_without_a_benchmark_is_refused(capsys):
    with pytest.raises(SystemExit):
        bench_command(["planning", "--only", "mmpi"])
    assert "--only: no planner 'mmpi'; expected cem, icem, mppi, sampled" in capsys.readouterr().err


def test_what_fails_in_a_benchmark_of_a_gpu_costs_only_itself(tmp_path, capsys):
    words = ["--device", "cpu", "--tiny", "--only", "machine,agreement", "--set", "learner.batch=70000"]
    with pytest.raises(SystemExit, match="1"):
        bench_command(["gpu", *words, "--out", str(tmp_path / "figures.jsonl")])
    lines = [json.loads(line) for line in (tmp_path / "figures.jsonl").read_text().splitlines()]
    figures, failed = ([line for line in lines if key in line] for key in ("value", "failed"))
    assert lines[0]["device"] == "cpu" and {line["part"] for line in figures} == {"machine"}
    assert {line["part"] for line in failed} == {"agreement"} and "batch = 70000" in failed[0]["failed"]
    assert "agreement: the same again: ConfigError: [learner] batch = 70000" in capsys.readouterr().err


FAST = sets("run.updates_per_step=1.0")  # to the updates after which it measures


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (["search", "--seconds", "0", "--only", "puct/1x4x50"], "puct/1x4x50"),
        (["inference", "--rounds", "1", "--only", "connect_four", "--table", "searches"], "connect_four 64x7x32"),
        (["ingest", "--rounds", "1", "--seconds", "0.1", "--table", "door", "--game", "gym/CartPole-v1"], "CartPole"),
        (["ingest", "--rounds", "1", "--seconds", "0.1", "--table", "batch", "--game", "gym/CartPole-v1"], "CartPole"),
        (["update", "--rounds", "1", "--game", "gym/CartPole-v1"], "GFLOP/update"),
        (["planning", "--rounds", "1", "--only", "mppi"], "decisions per second of CPU time"),
        (
            ["gpu", "--device", "cpu", "--tiny", "--only", "update,search"],
            "bfloat16, recorded, compiled: batch drawn in",
        ),
        (["kills", "--rounds", "1", "--seconds", "1", "--actors", "1", *FAST], "median"),
    ],
)
def test_a_benchmark_prints_its_table(arguments, wanted, tmp_path):
    code = f"from muzero.cli.bench import bench_command; bench_command({arguments})"
    result = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert wanted in result.stdout, result.stderr
    assert result.returncode == 0, result.stderr


SHORT = [
    word for value in ("steps=600", "start=300", "games=4", "evaluation_games=2") for word in ("--set", f"run.{value}")
]


def test_settings_are_compared_on_the_games_of_a_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    words = [
        "--game",
        "board/connect_four",
        "--run",
        "run",
        *SHORT,
    ]
    assert train_command([*words, "--set", "planner.simulations=2"]) == 0
    before = {path: path.read_bytes() for path in Path("run").rglob("*") if path.is_file()}
    words = ["--game", "board/connect_four", "--from", "run", "--seconds", "0.1", "--seeds", "2"]
    asked = [
        *words,
        "--positions",
        str(FEW),
        "--set",
        "learner.batch=8",
        "--try",
        "objective.unroll=2 objective.trace=1",
    ]
    assert bench_command(["offline", *asked]) == 0
    rows = [line.split("  ") for line in capsys.readouterr().err.splitlines() if "policy" in line]
    assert [row[:2] for row in rows] == [
        [name, seed] for name in ("-", "objective.unroll=2 objective.trace=1") for seed in "01"
    ]
    assert all(int(row[2]) > 0 and row[5].count(".") == 2 for row in rows)
    assert before == {path: path.read_bytes() for path in Path("run").rglob("*") if path.is_file()}
    wrong = {
        "from nowhere": "nowhere has no stored games",
        "seconds 0": "expected more than 0",
        "sed 1": "did you mean",
    }
    for option, words in wrong.items():
        with pytest.raises(SystemExit):
            bench_command(["offline", "--game", "board/connect_four", "--from", "run", *f"--{option}".split()])
        assert words in capsys.readouterr().err
