"""Every kind of output of muzero-eval shows all its figures at any width of a terminal, and in a pipe."""

import re
import sys

import pytest
from rich.cells import cell_len

from muzero.cli.evaluate.command import evaluate_command
from muzero.cli.train import train_command

pytest.importorskip("pyspiel")
TINY = "run.start=40 run.updates_per_step=0 run.games=4 run.evaluation_games=1 model.width=16 planner.simulations=2"
DEEP = "a-rather-long-name-of-a-folder/and-the-name-of-a-run-that-no-line-has-room-for"
GAMES = {"board": "board/tic_tac_toe", "cart": "gym/CartPole-v1"}
OUTPUTS = {
    "match": "board --against random --games 6",
    "sweep": "board --sweep simulations=0,2 --against random --games 6",
    "ladder": "ladder board --anchors random,mcts:2 --games 6",
    "positions": "board random --positions fresh:20",
    "positions of one": "board --positions fresh:20",
    "single": "cart --games 3 --sweep simulations=0,2",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("outputs")
    small = [word for setting in TINY.split() for word in ("--set", setting)]
    for name, game in GAMES.items():
        assert train_command(["--game", game, "--run", str(root / DEEP / name), "--steps", "40", *small]) == 0
    return root


@pytest.mark.parametrize("words", OUTPUTS.values(), ids=OUTPUTS)
def test_no_output_loses_a_figure(words, folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    arguments = [f"{DEEP}/{word}" if word in GAMES else word for word in words.split()]
    capsys.readouterr()

    def output():
        assert evaluate_command(arguments) == 0
        return capsys.readouterr().out

    piped = output()
    figures = [word for word in re.findall(r"\S+", piped) if re.match(r"[+<>-]?\d|\[[+-]?\d", word)]
    figures = [figure for figure in figures if not re.fullmatch(r"\d+\.\d\d", figure)]  # times differ
    assert len(figures) >= 6 and f"{DEEP}/" in piped
    for width in (60, 80, 200):
        with monkeypatch.context() as patch:
            patch.setattr(sys.stdout, "isatty", lambda: True)
            for name, value in (("TERM", "dumb"), ("COLUMNS", str(width)), ("LINES", "25")):
                patch.setenv(name, value)
            shown = output()
        assert not [figure for figure in figures if figure not in shown]
        table = shown.partition("[95 % intervals]")[2].partition("\n\n")[0]
        assert max(cell_len(line) for line in table.splitlines() if not re.search("distinct|says|: ", line)) <= width
