"""Reports of folders that someone else wrote: whatever their files hold, there is a page, and it runs nothing."""

import json
import os
import re
import tempfile
from contextlib import ExitStack
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from muzero.config import ConfigError
from muzero.report import charts as drawing
from muzero.report.collect import collect
from muzero.report.page import page
from muzero.report.untrusted_files import Unreadable, parse, read

pytest.importorskip("matplotlib")
SHARES = {"optimal": 0.9, "optimal_interval_95": [0.8, 0.95], "outcome_preserving": 0.99}
SCORES = {"player": "run@2", "protocol": "greedy", "games": 8, "mean": 3.5, "interval_95": [3, 4], "min": 1, "max": 5}
MATCH = {"player": "run@4", "against": "mcts:10", "games": 20, "wins": 5, "draws": 1, "losses": 14, "share": 0.275}
MATCH |= {"share_interval_95": [0.1, 0.5], "elo": -168.4, "elo_interval_95": [-380, None], "milliseconds_per_move": 1.5}
MACHINE = {"processor": "abacus", "cores": 2, "memory_GiB": 8, "gpus": ["none"], "system": "Linux"}
EVALUATION = {"step": 10, "updates": 5, "seconds": 1.0, "name": "against random", "games": 8, "mean": 0.1, "low": -0.1}
METRICS = {"steps": 10, "updates": 5, "seconds": 3.5, "loss/policy": 0.5, "self_play_score": 0.5, "note": "fine"}


def swept(row):
    return row | {"rows": [row | {"simulations": n, "milliseconds_per_move": n} for n in (0, 2, 8)]}


FILES = {
    "metrics.jsonl": [METRICS, METRICS | {"steps": 20}],
    "evaluations.jsonl": [EVALUATION | {"high": 0.3, "cost": 0.3}, EVALUATION | {"step": 20, "high": 0.4, "cost": 0.3}],
    "commands.jsonl": [{"date": "today", "command": "muzero-train", "machine": MACHINE, "versions": {"Python": "3"}}],
    "evaluation.json": [{"against random": SCORES | {"wins": 1, "draws": 2, "losses": 3}}],
    "results/match.json": [swept(MATCH) | {"provenance": {"command": "muzero-eval"}}],
    "results/positions.json": [swept(SHARES | {"player": "run", "positions": 9})],
    "results/scores.json": [
        swept(SCORES)
        | {"references": [{"agent": "human", "score": 9, "source": "a paper"}]}
        | {"over_seeds": {"iqm": 3, "low": 2, "high": 4, "runs": 5}}
    ],
    "results/ladder.json": [{"players": [{"player": "random", "elo": 0, "elo_interval_95": [0, 0], "points": 3}]}],
}
SCRIPT = "<script>alert(1)</script><img src=x onerror=alert(1)>\" onclick='alert(1)'"
NASTY = ["1" + "0" * 400, "1" + "0" * 5000, "NaN", "-Infinity", "1e999", "1e308", "-1", "0", "null", "true", "[]", "{}"]
NASTY += ["[[]]", '{"a": 1}', json.dumps(SCRIPT), '"\\ud800"', '"\\u0000\\u001b[2J"', '"$\\\\frac{"', '""', "[" * 2000]
TOKEN = re.compile(r'-?\d[\d.e+-]*|"(?:[^"\\]|\\.)*"|null|\[[^\[\]]*\]')


def written(folder, names=tuple(FILES)):
    """A run with every file that a report reads, or with some of them."""
    (folder / "results").mkdir(parents=True)
    (folder / "checkpoints" / "step-000000010").mkdir(parents=True)
    (folder / "config.toml").write_text('[run]\ngame = "board/nim"\nseed = 1\n')
    for name in names:
        (folder / name).write_text("\n".join(map(json.dumps, FILES[name])))
    return folder


@st.composite
def damages(draw):
    """A file and its damaged content; None for no content means another kind of file."""
    name = draw(st.sampled_from(sorted(FILES)))
    text = "\n".join(map(json.dumps, FILES[name]))
    kind = draw(st.sampled_from(["token"] * 6 + ["bytes", "cut", "pipe", "folder", "loop", "missing"]))
    if kind == "token":
        for _ in range(draw(st.integers(1, 3))):
            found = draw(st.sampled_from(list(TOKEN.finditer(text))))
            text = text[: found.start()] + draw(st.sampled_from(NASTY)) + text[found.end() :]
        return name, kind, text.encode()
    if kind == "cut":
        return name, kind, text[: draw(st.integers(0, len(text)))].encode()
    return name, kind, draw(st.binary(max_size=60)) if kind == "bytes" else b""


def damage(file, kind, content):
    file.unlink(missing_ok=True) if not file.is_dir() else None
    if kind == "pipe":
        os.mkfifo(file)
    elif kind == "folder":
        file.mkdir(exist_ok=True)
    elif kind == "loop":
        file.symlink_to(file.name)
    elif kind != "missing":
        file.write_bytes(content)


class Harmless(HTMLParser):
    """Fails on anything that a browser would run or fetch."""

    def handle_starttag(self, tag, attrs):
        assert tag not in ("script", "iframe", "object", "embed", "link", "form", "svg")
        for name, value in attrs:
            assert not name.startswith("on")
            assert name not in ("src", "href") or value.startswith("data:image/png;base64,")


def reported(stack, damaged, names=tuple(FILES)):
    folder = written(Path(stack.enter_context(tempfile.TemporaryDirectory())) / "run", names)
    for name, kind, content in damaged:
        if not (folder / name).is_dir():
            damage(folder / name, kind, content)
    return collect([folder])


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(damages(), min_size=1, max_size=3))
def test_damaged_files_give_a_page_that_runs_nothing(damaged):
    with ExitStack() as stack:
        text = page(reported(stack, damaged), {})
    Harmless().feed(text)
    text.encode()
    assert "\x1b" not in text and "\0" not in text


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(damages(), min_size=1, max_size=3))
@pytest.mark.filterwarnings("ignore:Glyph")
def test_damaged_files_give_charts(damaged):
    """Each chart is of one file: those of undamaged ones are not drawn."""
    with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        patch.setattr(drawing, "DPI", 30)
        for name, image in drawing.charts(reported(stack, damaged, ())).items():
            assert image.startswith(b"\x89PNG") and re.fullmatch(r"[\w.-]{1,80}", name)


def test_undamaged_files_have_no_problems_and_damage_is_named(tmp_path):
    folder = written(tmp_path / "run")
    assert collect([folder])[0].problems == []
    (folder / "metrics.jsonl").write_text('{"steps": 1}\nnot JSON\n{"updates": 3}\n')
    (folder / "evaluation.json").write_text("[1, 2]")
    damage(folder / "commands.jsonl", "pipe", b"")
    [run] = collect([folder])
    assert run.metrics == [{"steps": 1}]
    assert sorted(run.problems)[1:] == [
        "evaluation.json is not a JSON object",
        "metrics.jsonl has 1 line that is damaged",
        "metrics.jsonl has 1 line that is without steps",
    ]
    assert sorted(run.problems)[0].startswith("commands.jsonl cannot be read: ")
    assert all(problem in page([run], {}) for problem in run.problems)


@pytest.mark.parametrize(
    "text", ["[run]\nseed = nan\n", "run = 3\n", '[run]\ngame = ["<b>"]\nseed = "x"\n[x]\ny = 1e400\n']
)
def test_odd_settings_are_shown_or_refused_without_a_traceback(tmp_path, text):
    folder = written(tmp_path / "run")
    (folder / "config.toml").write_text(text)
    try:
        Harmless().feed(page(collect([folder]), {}))
    except ConfigError as error:
        assert "config.toml" in str(error)


def test_numbers_are_finite_and_texts_have_no_control_characters():
    found = parse('{"a": NaN, "b": 1' + "0" * 400 + ', "c": [1, true, "x\\u001b[2Jy"], "\\u0007d": 2.5}')
    assert found == {"a": None, "b": None, "c": [1, True, "xy"], "d": 2.5}
    with pytest.raises(Unreadable, match="not JSON"):
        parse("[" * 100_000)


def test_a_file_that_is_too_large_is_not_read(tmp_path):
    with (tmp_path / "large").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(Unreadable, match="more than"):
        read(tmp_path / "large")
