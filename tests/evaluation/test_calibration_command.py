"""muzero-eval --calibration, interrupted: what was measured is kept."""

import json
from types import SimpleNamespace

from muzero.cli.evaluate import calibration
from muzero.cli.exits import INTERRUPTED


def test_runs_that_were_measured_before_an_interrupt_are_shown_and_written(tmp_path, monkeypatch, capsys):
    def examine(row, options, progress):
        if row.name == "second":
            raise KeyboardInterrupt
        return {"player": row.name}

    shown = []
    monkeypatch.setattr(calibration, "examine", examine)
    monkeypatch.setattr(calibration, "show", lambda console, found: shown.append(found["player"]))
    rows = [SimpleNamespace(name=name, entrant=SimpleNamespace(agent=object())) for name in ("first", "second")]
    options = SimpleNamespace(json=tmp_path / "found.json", seed=3)
    assert calibration.evaluate(options, rows) == INTERRUPTED
    assert shown == ["first"] and "interrupted: 1 of 2 runs were measured" in capsys.readouterr().out
    found = json.loads(options.json.read_text())
    assert (found["seed"], found["calibration"]) == (3, [{"player": "first"}])
