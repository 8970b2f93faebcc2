"""A report shows what the folders contain, also if something is missing or wrong there."""

import json
import re

import pytest

from muzero.cli.report import report_command
from muzero.config import ConfigError
from muzero.diagnostics.curve import Curve, Point, load
from muzero.report.collect import collect, differences, groups
from muzero.runs import evaluations
from muzero.runs.evaluations import Evaluation

pytest.importorskip("matplotlib")
MATCH = {"player": "run@4", "simulations": 4, "against": "mcts:10", "games": 20, "wins": 5, "draws": 1, "losses": 14}
MATCH |= {"share": 0.275, "share_interval_95": [0.1, 0.5], "elo": -168.4, "elo_interval_95": [-380, None]}
MATCH |= {"milliseconds_per_move": 1.5}


def run(folder, seed=0, **learner):
    folder.mkdir(parents=True)
    rate = learner.get("rate", 0.001)
    text = f'[run]\ngame = "board/nim<b>"\nseed = {seed}\n\n[learner]\nlearning_rate = {rate}\n'
    (folder / "config.toml").write_text(text)
    rows = [
        {"steps": step, "updates": step // 2, "seconds": step / 10, "loss/policy": 9 / step, "health/drift_1": 1 / step}
        for step in (10, 20, 15, 30)
    ]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows) + "torn {")
    for step, low in ((10, -0.5), (20, 0.25)):
        evaluations.append(folder, Evaluation(step, 5, 1.0, "against random", 8, low + 0.2, low, low + 0.4, 0.3))
    (folder / "checkpoints" / "step-000000020").mkdir(parents=True)
    results = folder / "results"
    results.mkdir()
    rows = [MATCH, MATCH | {"simulations": 8, "player": "run@8"}]
    note = {"command": 'muzero-eval run --against "mcts:10" <script>'}
    (results / "sweep.json").write_text(json.dumps(MATCH | {"rows": rows, "provenance": note}))
    ladder = {"players": [{"player": "random", "elo": 0, "elo_interval_95": [0, 0], "points": 3, "games": 9}]}
    (results / "ladder.json").write_text(json.dumps(ladder))
    (results / "broken.json").write_text("{")
    return folder


def test_the_page_shows_curves_results_settings_and_commands(tmp_path, capsys):
    folder = run(tmp_path / "one")
    assert report_command([str(folder)]) == 0
    page = (folder / "report" / "report.html").read_text()
    images = {path.name for path in (folder / "report").glob("*.png")}
    assert {"evaluation-by-steps.png", "evaluation-by-time.png", "loss-policy.png", "sweep-one-sweep.png"} <= images
    assert page.count('src="data:image/png;base64,') == len(images)
    assert not re.search(r"(src|href)=\"(?!data:)", page) and "<script" not in page and "nim<b>" not in page
    for words in (
        "step 20: 0.45 [0.25..0.65]",
        "-168 [-380..∞]",
        "27.5% [10.0%..50.0%]",
        "learning_rate = 0.001",
        "run@8",
    ):
        assert words in page, words
    assert "Hardware and commands" in page and "report.html" in capsys.readouterr().out


def measured(horizon, number="reward"):
    row = {"number": number, "horizon": horizon, "beyond": horizon > 5, "targets": 500, "games": 20}
    row |= {"coverage": {"50%": 0.47, "95%": 0.9}, "coverage_interval_95": {"50%": [0.4, 0.54], "95%": [0.85, 0.93]}}
    row |= {"curve": [step / 20 for step in range(1, 20)], "calibration_error": 0.04, "error": 1.0, "sharpness": 0.8}
    return row | {"epistemic_share": 0.3, "spearman": 0.21}


def test_a_calibration_is_one_picture_and_a_table(tmp_path):
    folder = run(tmp_path / "one")
    rows = [measured(1), measured(10), measured(0, "value")]
    outside = {"policy": "random play", "positions": 9, "value": {"auroc": 0.81, "interval_95": [0.7, 0.9]}}
    found = {"player": "one<b>", "games": 20, "positions": 500, "rows": rows, "outside": outside}
    file = folder / "results" / "calibration.json"
    file.write_text(json.dumps({"calibration": [found]}))
    assert report_command([str(folder)]) == 0
    page = (folder / "report" / "report.html").read_text()
    for words in ("47.0% [40.0%..54.0%]", "90.0% [85.0%..93.0%]", "0.81 [0.70..0.90]", "one&lt;b&gt;: 500 positions"):
        assert words in page, words
    drawn = folder / "report" / "calibration-one-calibration.png"
    assert drawn.exists() and 'alt="calibration-one-calibration"' in page
    before = drawn.read_bytes()
    file.write_text(json.dumps({"calibration": [found | {"rows": rows[:1]}]}))
    assert report_command([str(folder)]) == 0 and drawn.read_bytes() != before


@pytest.mark.parametrize("damage", [{"curve": "no"}, {"curve": [0.1, "<b>"]}, {"coverage": 3}, {"horizon": [1]}, {}])
def test_a_damaged_calibration_is_shown_as_far_as_it_can_be_read(tmp_path, damage):
    folder = run(tmp_path / "one")
    rows = [3, measured(1) | damage, measured(2) if damage else {}]
    outside = {"value": 3, "reward": {"auroc": None}} if damage else [1]
    found = [7, {"rows": rows, "outside": outside}, {"rows": None}]
    (folder / "results" / "calibration.json").write_text(json.dumps({"calibration": found}))
    assert report_command([str(folder)]) == 0
    assert "<b>" not in (folder / "report" / "report.html").read_text()


def test_runs_stand_side_by_side_with_what_differs(tmp_path):
    folders = [run(tmp_path / "a", 0), run(tmp_path / "b", 1), run(tmp_path / "c", 0, rate=0.5)]
    assert report_command([*map(str, folders), "--out", str(tmp_path / "out")]) == 0
    page = (tmp_path / "out" / "report.html").read_text()
    assert "Settings that differ" in page and "learner.learning_rate" in page and "3 runs" in page
    runs = collect(folders)
    assert [[each.label for each in group] for group in groups(runs)] == [["a", "b"], ["c"]]
    assert differences(runs) == {"run.seed": [0, 1, 0], "learner.learning_rate": [0.001, 0.001, 0.5]}


def test_health_is_drawn_in_front_of_healthy_runs(tmp_path, monkeypatch):
    folder = run(tmp_path / "one")
    assert report_command([str(folder)]) == 0
    alone = (folder / "report" / "health-drift_1.png").read_bytes()
    assert ">Health</h2>" in (folder / "report" / "report.html").read_text()
    shipped = Curve("board/nim<b>", [0], [Point(steps, {"health/drift_1": (0.1, 0.5)}) for steps in (10, 30)])
    monkeypatch.setattr("muzero.diagnostics.curve.of_game", lambda game: shipped if game == "board/nim<b>" else None)
    assert report_command([str(folder)]) == 0
    assert (folder / "report" / "health-drift_1.png").read_bytes() != alone


def test_a_curve_of_healthy_runs_is_written(tmp_path, capsys):
    folders = [run(tmp_path / "a", 3), run(tmp_path / "b", 1)]
    file = tmp_path / "nim.curve.jsonl"
    assert report_command([*map(str, folders), "--curve", str(file)]) == 0
    made = load(file)
    assert (made.game, made.seeds, made.points[-1].steps) == ("board/nim<b>", [3, 1], 30)
    assert made.points[-1].bands["health/drift_1"] == (0.03333, 0.03333)
    assert str(file) in capsys.readouterr().out and not (tmp_path / "report").exists()


def test_a_curve_is_of_runs_that_learn_alike(tmp_path):
    folders = [run(tmp_path / "a", 0), run(tmp_path / "b", 1, rate=0.5)]
    with pytest.raises(ConfigError, match=r"a: \[learner\] learning_rate = 0\.001 here, 0\.5 in the run"):
        report_command([*map(str, folders), "--curve", str(tmp_path / "curve")])
    assert not (tmp_path / "curve").exists()


def test_runs_of_a_curve_may_differ_in_how_they_are_evaluated_and_lack_later_settings(tmp_path):
    folders = [run(tmp_path / "a", 0), run(tmp_path / "b", 1)]
    with (folders[1] / "config.toml").open("a") as config:
        config.write('weight_decay = 1e-4\n\n[actors]\noverlap = "off"\n')
    assert report_command([*map(str, folders), "--curve", str(tmp_path / "curve")]) == 0


def test_rows_before_a_return_to_a_checkpoint_are_left_out(tmp_path):
    [found] = collect([run(tmp_path / "one")])
    assert [row["steps"] for row in found.metrics] == [10, 15, 30] and found.best == 20


def test_a_run_that_has_only_begun_has_a_report(tmp_path):
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "config.toml").write_text('[run]\ngame = "board/nim"\n')
    assert report_command([str(tmp_path / "new")]) == 0


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="is not a run"):
        report_command([str(tmp_path)])
