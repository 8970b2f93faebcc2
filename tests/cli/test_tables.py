"""Tables: every figure is shown at any width, in terminals and in pipes."""

import io
import re

import pytest
from rich.cells import cell_len
from rich.console import Console

from muzero.cli.tables import HUMAN, Figures, bracketed, say, say_wrapped, show_results, terminal, without_beginning
from muzero.evaluation.intervals import Summary
from muzero.play.match import Outcome

LONG = "runs/board/tic_tac_toe/a-rather-long-folder-name-of-a-run-for-tic-tac-toe"


def drawn(table, width):
    file = io.StringIO()
    Console(file=file, width=width, markup=False, emoji=False, highlight=False).print(table)
    return file.getvalue()


def table(*names):
    made = Figures("a title [95 % intervals]", ["player", "games", "points %", "Elo", "ms"])
    for number, name in enumerate(names):
        made.add_row(name, f"{number}1,234", f"7{number}.5 [64.6..74.9]", f"+14{number} [-13..+308]", f"{number}.50")
        made.add_row("  first seat", f"{number}617", style="dim")
    return made


def figures(count):
    return [
        each
        for number in range(count)
        for each in (
            f"{number}1,234",
            f"7{number}.5 [64.6..74.9]",
            f"+14{number} [-13..+308]",
            f"{number}.50",
            f"{number}617",
        )
    ]


@pytest.mark.parametrize("width", [32, 60, 80, 200, 1_000_000])
@pytest.mark.parametrize(
    "names", [(f"{LONG}@0", f"{LONG}@2"), ("random",), (f"{LONG}:3000", f"runs/x/{LONG}:3000"), ("名前" * 40,)]
)
def test_no_figure_is_cut_at_any_width(names, width):
    text = drawn(table(*names), width)
    assert all(figure in text for figure in figures(len(names)))
    assert max(map(cell_len, text.splitlines())) <= width
    assert all(" " not in line[-1:] for line in text.splitlines())


def test_names_are_whole_where_there_is_room():
    assert f"{LONG}@0" in drawn(table(f"{LONG}@0", f"{LONG}@2"), 200)


def test_names_lose_their_beginning_and_keep_what_differs():
    lines = drawn(table(f"{LONG}@0", f"{LONG}@2"), 80).splitlines()
    names = [line.split()[0] for line in lines if line.startswith("...")]
    assert len(names) == 2 and names[0].endswith("tic-tac-toe@0") and names[1].endswith("tic-tac-toe@2")


def test_rows_are_stacked_where_shortened_names_would_be_the_same():
    text = drawn(table(f"a/{LONG}", f"b/{LONG}"), 80)
    assert f"a/{LONG}" in text and f"b/{LONG}" in text and "..." not in text
    assert "games 01,234" in text and "Elo +140 [-13..+308]" in text


def test_control_characters_of_names_are_spelt_out():
    assert "x\\x1b[31m\\n" in drawn(table("x\x1b[31m\n"), 80)
    file = io.StringIO()
    say(Console(file=file, width=20, markup=False), "a\x1b[2Jb [bold] " + "c" * 40)
    assert file.getvalue() == "a\\x1b[2Jb [bold] " + "c" * 40 + "\n"


def test_a_shortened_name_fits():
    assert without_beginning("abc", 3) == "abc" and without_beginning("abcdefgh", 6) == "...fgh"
    assert without_beginning("名前名前", 7) == "...名前"


@pytest.mark.parametrize(
    ("number", "interval", "text"),
    [
        (12.0, (-5.0, 30.0), "+12 [-5..+30]"),
        (float("inf"), (234.0, float("inf")), "> +234"),
        (float("-inf"), (float("-inf"), -234.0), "< -234"),
        (20.0, (float("-inf"), float("inf")), "+20"),
        (20.0, (float("nan"), float("nan")), "+20"),
        (float("inf"), (float("-inf"), float("inf")), "?"),
    ],
)
def test_an_interval_without_ends_is_not_shown(number, interval, text):
    assert bracketed(number, interval, "+.0f") == text
    assert not re.search("inf|nan", text)


@pytest.mark.parametrize(("width", "expected"), [(40, 4), (60, 3), (1_000_000, 1)])
def test_a_sentence_is_wrapped_between_words(width, expected):
    file = io.StringIO()
    sentence = f"{LONG}: 10 of 30 games are distinct; the others repeat them, so the intervals are too narrow"
    say_wrapped(Console(file=file, width=width), sentence)
    lines = file.getvalue().splitlines()
    assert " ".join(lines) == sentence
    assert all(cell_len(line) <= width for line in lines if LONG not in line) and len(lines) == expected


@pytest.mark.parametrize(("game", "shown"), [("atari/pong", True), ("gym/CartPole-v1", False)])
def test_results_beside_published_human_scores_are_normalised(game, shown, capsys):
    summary = Summary([Outcome(14.6, 0, 100, number) for number in range(2)])
    show_results(terminal(), {"trained": summary}, game, two_player=False)
    head, row, *legend = capsys.readouterr().out.splitlines()[1:]
    assert head.endswith("human") == shown and row.endswith("1.000") == shown
    assert legend == ([HUMAN] if shown else [])
