"""muzero-bench runs what it names, and names what it does not know."""

import subprocess
import sys

import pytest
from commands import sets

from muzero.cli.bench import bench_command


def test_a_misspelt_benchmark_names_the_nearest(capsys):
    assert bench_command(["serach"]) == 2
    assert "no benchmark 'serach'; did you mean search?" in capsys.readouterr().err


def test_help_lists_the_benchmarks(capsys):
    assert bench_command(["--help"]) == 0
    assert "muzero-bench search" in capsys.readouterr().out


FAST = sets("run.updates_per_step=1.0")  # to the updates after which it measures


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (["search", "--seconds", "0", "--only", "puct/1x4x50"], "puct/1x4x50"),
        (["inference", "--rounds", "1", "--only", "connect_four", "--table", "searches"], "connect_four 64x7x32"),
        (["ingest", "--rounds", "1", "--seconds", "0.1", "--table", "door", "--game", "gym/CartPole-v1"], "CartPole"),
        (["ingest", "--rounds", "1", "--seconds", "0.1", "--table", "batch", "--game", "gym/CartPole-v1"], "CartPole"),
        (["update", "--rounds", "1", "--game", "gym/CartPole-v1"], "GFLOP/update"),
        (["kills", "--rounds", "1", "--seconds", "1", "--actors", "1", *FAST], "median"),
    ],
)
def test_a_benchmark_prints_its_table(arguments, wanted, tmp_path):
    code = f"from muzero.cli.bench import bench_command; bench_command({arguments})"
    result = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert wanted in result.stdout, result.stderr
