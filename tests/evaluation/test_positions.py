"""Moves compared with perfect play: solved positions, exact rates, corrupt files."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from muzero.evaluation.positions import PositionsError, Scored, everywhere, fresh, quality, read, write
from muzero.games.board import BoardRules, load
from muzero.interfaces import MemorylessPlayer, Moves, PlayerError
from muzero.players.minimax import MinimaxPlayer
from muzero.players.uniform import RandomPlayer

pytest.importorskip("pyspiel")
SOLVED = Path(__file__).parents[1] / "data" / "connect4" / "positions.jsonl"


class Always(MemorylessPlayer):
    """Chooses the first of its wishes that is legal, and claims a value."""

    title = "always"

    def __init__(self, *wishes, value=0.0):
        self.wishes, self.value = wishes, value

    def choose(self, positions):
        chosen = [next(wish for wish in self.wishes if row[wish]) for row in positions.legal]
        return Moves(np.array(chosen, np.int64), np.full(len(chosen), self.value, np.float32))


def start(game="connect_four"):
    return BoardRules(load(game).new_initial_state())


def report(player, positions, game="connect_four"):
    return quality(player, positions, start(game), 0).report()


def test_the_solver_agrees_with_positions_solved_by_another_program():
    bitbully = pytest.importorskip("bitbully")
    assert bitbully
    from muzero.players.solver import SolverPlayer

    positions, solver = read(SOLVED, start()), SolverPlayer()
    for position in positions:
        rules = start()
        for move in position.moves:
            rules = rules.child(move)
        assert solver.scores(rules) == position.scores
    found = report(solver, positions)
    assert found["optimal"] == found["outcome_preserving"] == 1.0 and found["value_error"] == 0.0
    assert sum(group["positions"] for group in found["by_plies"].values()) == len(positions) == 60


def test_random_play_is_as_good_as_the_scores_predict():
    positions = read(SOLVED, start()) * 20
    scores = [(np.array(list(each.scores.values())), each.best) for each in positions]
    expected = np.mean([(row == best).mean() for row, best in scores])
    keeping = np.mean([(np.sign(row) == np.sign(best)).mean() for row, best in scores])
    found = report(RandomPlayer(), positions)
    assert found["optimal"] == pytest.approx(expected, abs=0.04)
    assert found["outcome_preserving"] == pytest.approx(keeping, abs=0.04)
    assert found["value_error"] is None


def test_an_optimal_move_has_the_best_score():
    scores = {0: 3.0, 1: 5.0, 2: 0.0, 3: -1.0, 4: -1.0, 5: -1.0, 6: -1.0}
    for column, optimal, preserving in ((1, 1, 1), (0, 0, 1), (2, 0, 0), (3, 0, 0)):
        found = report(Always(column, value=0.25), [Scored([], scores)])
        assert (found["optimal"], found["outcome_preserving"], found["value_error"]) == (optimal, preserving, 0.75)


def test_perfect_play_is_optimal_in_every_position_of_tic_tac_toe():
    positions = everywhere(start("tic_tac_toe"), MinimaxPlayer())
    assert len(positions) == 4520
    assert report(MinimaxPlayer(), positions, "tic_tac_toe")["optimal"] == 1.0
    found = report(RandomPlayer(), positions, "tic_tac_toe")
    assert found["optimal"] == found["outcome_preserving"] == pytest.approx(0.58, abs=0.03)


def test_fresh_positions_differ_follow_their_seed_and_survive_a_file(tmp_path):
    game, minimax = start("tic_tac_toe"), MinimaxPlayer()
    positions = fresh(game, minimax, 50, 1, 9)
    assert len({str(each.moves) for each in positions}) == 50
    assert all(len({np.sign(score) for score in each.scores.values()}) > 1 for each in positions)
    assert fresh(game, minimax, 50, 1, 9) == positions != fresh(game, minimax, 50, 2, 9)
    write(tmp_path / "some.jsonl", positions)
    assert read(tmp_path / "some.jsonl", game) == positions


def test_a_game_with_too_few_positions_says_how_many_it_gave(monkeypatch):
    monkeypatch.setattr("muzero.evaluation.positions.TRIES", 2)
    with pytest.raises(PositionsError, match=r"fresh:3000: .* gave only \d+ positions"):
        fresh(start("tic_tac_toe"), MinimaxPlayer(), 3000, 0, 9)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("nonsense", "expected {"),
        ("[1]", "expected {"),
        ('{"moves": [0]}', "expected {"),
        ('{"moves": [9], "scores": {}}', "move 1, 9, is not legal"),
        ('{"moves": [0, 0, 0, 0, 0, 0, 0], "scores": {}}', "move 7, 0, is not legal"),
        ('{"moves": [0], "scores": {"0": 1}}', r"scores are of the moves \[0\]; legal there are \[0, 1, 2"),
        ('{"moves": [], "scores": {"0":NaN,"1":0,"2":0,"3":0,"4":0,"5":0,"6":0}}', "a score is not finite"),
        ('{"moves": [0,1,0,1,0,1,0], "scores": {}}', r"legal there are \[\]"),
    ],
)
def test_a_wrong_line_is_named(tmp_path, line, message):
    good = json.dumps({"moves": [], "scores": {str(column): 0 for column in range(7)}})
    file = tmp_path / "positions.jsonl"
    file.write_text(f"{good}\n\n{line}\n")
    with pytest.raises(PositionsError, match=rf"positions.jsonl:3: .*{message}"):
        read(file, start())


def test_a_missing_empty_or_binary_file_is_named(tmp_path):
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    for name in ("missing", "empty", "binary"):
        with pytest.raises(PositionsError, match=name):
            read(tmp_path / name, start())


def test_only_regular_files_of_a_bounded_size_are_read(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe")
    for path in (Path("/dev/zero"), tmp_path / "pipe", tmp_path):
        with pytest.raises(PositionsError, match=rf"^--positions {path}: that is not a regular file"):
            read(path, start())
    monkeypatch.setattr("muzero.evaluation.positions.LARGEST", 1 << 20)
    (tmp_path / "large").write_text("\n" * (1 << 21))
    with pytest.raises(PositionsError, match="2 MiB, expected at most 1 MiB; split the file"):
        read(tmp_path / "large", start())


def test_control_characters_of_a_path_are_spelt_out(tmp_path):
    with pytest.raises(PositionsError, match=r"x\\x1b\[31m\\n: no such file") as caught:
        read(tmp_path / "x\x1b[31m\n", start())
    assert str(caught.value).isprintable()


def test_a_player_that_chooses_what_is_not_legal_is_an_error():
    class Cheat(Always):
        def choose(self, positions):
            return Moves(np.array([99]), np.zeros(1, np.float32))

    with pytest.raises(PlayerError, match="the player chose 99 after"):
        report(Cheat(), [Scored([3], dict.fromkeys(range(7), 0.0))])
