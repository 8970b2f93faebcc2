"""What tests of evaluation share: runs to evaluate."""

import pytest
from evaluating import SMALL, train

from muzero.cli.train import train_command


@pytest.fixture(scope="session")
def run(tmp_path_factory):
    """A run of Connect Four that was evaluated while it learned."""
    pytest.importorskip("pyspiel")
    folder = tmp_path_factory.mktemp("evaluation") / "four"
    more = ("run.evaluate_every=200", "run.evaluation_games=6", "run.opponent=mcts:2", "run.keep=1")
    return train(folder, "board/connect_four", *more)


@pytest.fixture(scope="session")
def carts(tmp_path_factory):
    """Three runs of CartPole, with the seeds 0, 1 and 2."""
    root = tmp_path_factory.mktemp("carts")
    sets = ("model.width=16", "run.evaluation_games=2")
    folders = []
    for seed in range(3):
        words = [word for each in [*SMALL[:1], *SMALL[2:], *sets, f"run.seed={seed}"] for word in ("--set", each)]
        folder = root / f"cart{seed}"
        assert train_command(["--game", "gym/CartPole-v1", "--run", str(folder), "--steps", "300", *words]) == 0
        folders.append(folder)
    return folders
