"""muzero-play: what is shown, typed and saved, and how it ends."""

import json
import os
import pty
import re
import select
import subprocess
import sys

import pytest
import untrained
from commands import LIMIT, called, code, command
from rich.console import Console

from muzero.agent import Agent
from muzero.cli.board_view import board
from muzero.cli.play import play_command
from muzero.games.board import BoardRules, load

pytest.importorskip("pyspiel")
AGENT = "zoo/tic_tac_toe"


@pytest.fixture
def play(monkeypatch, capsys):
    """Play with a person who answers these, and then leaves; what was shown."""
    loaded = Agent.load  # once: what is loaded does not change

    def person(answers, *words, code=0):
        left = iter(answers.split(";") if isinstance(answers, str) else answers)

        def answer(prompt):
            print(prompt, end="")
            reply = next(left, EOFError)
            if isinstance(reply, type):
                raise reply
            return reply

        monkeypatch.setattr("builtins.input", answer)
        monkeypatch.setattr(Agent, "load", loaded)
        assert play_command([*map(str, words or (AGENT,))]) == code
        return capsys.readouterr().out

    return person


def test_a_game_is_shown_from_the_first_words_to_the_result(play):
    shown = play("4;0 1;5;no", AGENT, "--simulations", 8)
    assert shown.startswith("\ngame 1 of board/tic_tac_toe against zoo/tic_tac_toe: you are x and move first\n")
    assert "the agent searches 8 positions a move; type help" in shown and "moves: 0 = x(0,0), 1 = x(0,1)," in shown
    assert re.search(r"zoo/tic_tac_toe plays o\(\d,\d\)\n  0 1 2\n", shown) and shown.count("[o]") >= 2


@pytest.mark.parametrize(
    ("seat", "wishes", "said"),
    [
        ("first", "resign;yes;resign;no", ["x and move first", "x and move first"]),
        ("second", "resign;swap;resign;n", ["o and move second", "x and move first"]),
        ("both", "resign;;resign;y;resign;no", ["x and move first", "o and move second", "x and move first"]),
        ("both", "resign;s;resign", ["x and move first", "x and move first"]),
    ],
)
def test_a_person_chooses_the_seat(play, seat, wishes, said):
    shown = play(wishes, AGENT, "--seat", seat, "--strength", "casual")
    assert re.findall(r"you are (.*)", shown) == said
    assert f"of {len(said)} games you won 0, drew 0, lost {len(said)}" in shown


def test_commands_answer_and_leave_the_game_as_it_is(play):
    shown = play("hint;think;moves;board;help;HELP;undo;bord;7,7;;x(1,1);resign;maybe;no")
    assert re.search(r"the agent would play x\(\d,\d\) here \([+-]\d\.\d\d; \+1 is a win", shown)
    assert re.search(r"what the agent thinks, for x \(\d+ simulations\)\nmove +prior +visits +value +chosen\n", shown)
    assert shown.count("x(") > 20 and "expects: x(" in shown and "worth to x: " in shown
    assert shown.count("type a move by its number or its name") == 2
    assert "there is nothing to take back" in shown and "did you mean board?" in shown
    assert "'7,7' is not a legal move" in shown and "plays o(" in shown
    assert "you lose (you resigned), after 2 moves\nmoves: x(1,1) o(" in shown and "'maybe': type yes or no" in shown


def test_thoughts_without_search_are_those_of_the_network(play):
    shown = play("think", AGENT, "--simulations", 0)
    assert "for x (no search: what its network proposes)\nmove" in shown and "the agent plays without search" in shown
    assert "visits" not in shown and "expects" not in shown and "worth to x" in shown


def test_moves_are_taken_back_also_after_the_end(play):
    shown = play("4;undo;4;resign;undo;undo;0;resign;no", AGENT, "--simulations", 4)
    assert shown.count("took back 2 moves") == 2 and shown.count("you lose (you resigned)") == 2
    assert "moves: x(0,0) o(" in shown and "of 2 games" not in shown


def test_the_agent_moves_first_where_the_person_moves_second(play):
    shown = play("undo;quit", AGENT, "--seat", "second")
    assert shown.index("plays x(") < shown.index("your move:") and "nothing to take back" in shown
    assert shown.endswith("you left the game: it does not count\n")


@pytest.mark.parametrize(
    ("end", "code", "said"),
    [(EOFError, 0, "you left the game: it does not"), (KeyboardInterrupt, 130, "under way does not")],
)
def test_leaving_keeps_the_games(play, tmp_path, end, code, said):
    file = tmp_path / "new" / "games.jsonl"
    shown = play(["resign", "yes", "4", end], AGENT, "--save", file, code=code)
    assert f"{said} count" in shown
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    assert [row["score_of_first"] for row in rows] == [None]  # of the first no move was made
    assert rows[0]["moves"][0] == "x(1,1)" and rows[0]["players"] == ["human", AGENT] and not rows[0]["resigned"]


def test_an_interrupt_after_the_end_still_counts_the_game(play, tmp_path):
    file = tmp_path / "games.jsonl"
    shown = play(["4", "resign", KeyboardInterrupt], AGENT, "--save", file, code=130)
    assert shown.count("interrupted\n") == 1 and json.loads(file.read_text())["score_of_first"] == -1


@pytest.mark.parametrize(
    ("game", "move", "suffix", "result"),
    [("go(board_size=5)", "c3", "sgf", "RE[?]"), ("chess", "a3", "pgn", '[Result "*"]')],
)
def test_games_are_saved_in_the_format_of_their_programs(play, tmp_path, game, move, suffix, result):
    run, file = untrained.run(tmp_path / "run", f"board/{game}"), tmp_path / f"games.{suffix}"
    play(f"{move};quit", run, "--save", file)
    play("quit", run, "--save", file, "--seat", "second")
    assert file.read_text().count(result) == 2 and str(run) in file.read_text()
    run_twice = command("play", run, "--save", tmp_path / "games.txt", folder=tmp_path)
    assert run_twice.returncode == 2 and f"are saved as {tmp_path}/games.{suffix} or {tmp_path}/games.jsonl" in (
        run_twice.stderr
    )


def test_agents_are_listed_where_none_is_named_or_the_name_is_wrong(tmp_path):
    untrained.run(tmp_path / "runs" / "mine", "board/tic_tac_toe")
    (tmp_path / "runs" / "broken").mkdir()
    (tmp_path / "runs" / "broken" / "config.toml").write_text("run = 3")
    bare, wrong = (command("play", *words, folder=tmp_path) for words in ([], ["zoo/conect_four"]))
    assert (bare.returncode, wrong.returncode) == (2, 2)
    assert wrong.stderr.startswith("error: zoo/conect_four: no such run; did you mean zoo/connect_four?\n")
    for text in (bare.stdout, wrong.stderr):
        assert re.search(r"^  zoo/tic_tac_toe +board/tic_tac_toe\n", text, re.MULTILINE) and "runs/mine" in text
        assert "broken" not in text and "zoo/breakout" not in text
        assert "for example: muzero-play zoo/connect_four" in text


def test_single_agent_games_are_watched(tmp_path):
    done = command("play", "zoo/CartPole-v1", folder=tmp_path)
    assert done.returncode == 2 and "watch the agent with: muzero-watch zoo/CartPole-v1" in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--strength", "beginer"], "did you mean beginner?"),
        (["--seat", "third"], "choose from"),
        (["--temperature", "hot"], "'hot'; expected a number from 0 to 100"),
        (["--simulations", "-1"], "expected a whole number of at least 0"),
        (["--strenght", "full"], "did you mean --strength?"),
    ],
)
def test_wrong_options_name_what_was_meant(tmp_path, words, said):
    done = command("play", AGENT, *words, folder=tmp_path)
    assert done.returncode == 2 and said in done.stderr and "Traceback" not in done.stderr


# --- terminals -----------------------------------------------------------------------------------------------------


def on_a_terminal(folder, answers, *words, **environment):
    """The bytes that a terminal gets of a game; each answer is typed when a question was asked."""
    environment |= {"TERM": "xterm-256color", "COLUMNS": "80"}
    child, ours = pty.fork()  # not openpty: keys that interrupt act on a terminal that controls its program
    if child == 0:
        for name in ("NO_COLOR", "COLORTERM"):
            os.environ.pop(name, None)
        os._exit(called("play", words, folder, environment))
    shown, asked, waiting = b"", 0, list(answers)
    while select.select([ours], [], [], LIMIT)[0]:
        try:
            part = os.read(ours, 1 << 16)
        except OSError:  # the other end was closed
            break
        shown += part
        if waiting and len(re.findall(rb"your move: |no: ", shown)) > asked:
            asked += 1
            os.write(ours, waiting.pop(0))
    os.close(ours)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), shown.decode()


def test_a_terminal_gets_colours_and_ends_politely_by_control_d(tmp_path):
    code, shown = on_a_terminal(tmp_path, [b"4\n", b"\x04"], AGENT)
    assert code == 0 and "\x1b[1;31mx" in shown and "\x1b[" in shown and "[" in shown
    assert shown.endswith("you left the game: it does not count\r\n") and "Traceback" not in shown


def test_without_colour_there_is_not_one_escape_sequence_and_control_c_ends(tmp_path):
    code, shown = on_a_terminal(tmp_path, [b"4\n", b"\x1b[A\n", b"\x03"], AGENT, NO_COLOR="1")
    assert code == 130 and "[o]" in shown and "interrupted: the game that was under way does not count" in shown
    assert "\x1b" not in shown and "'\\x1b[A' is not a legal move" in shown  # an arrow is echoed as ^[[A


@pytest.mark.parametrize("game", ["connect_four", "othello", "go(board_size=5)", "chess", "gomoku(size=6)", "hex"])
def test_colours_change_no_character(game):
    plain, colours = Console(color_system=None), Console(color_system="256", force_terminal=True, no_color=False)
    rules, before = BoardRules(load(game).new_initial_state()), ""
    for _ in range(6):
        before, rules = rules.draw(), rules.child(rules.legal()[len(rules.legal()) // 2])
    text = board(colours, before, rules)
    assert text.plain == board(plain, before, rules).plain and not board(plain, before, rules).spans
    assert {str(span.style) for span in text.spans} >= {"bold red", "bold cyan", "dim"}


def test_a_closed_input_ends_the_game(tmp_path):
    line = f'"$PYTHON" -c "$CODE" {AGENT} <&-'
    environment = os.environ | {"PYTHON": sys.executable, "CODE": code("play")}
    closed = subprocess.run(["sh", "-c", line], cwd=tmp_path, env=environment, capture_output=True, text=True)
    empty = command("play", AGENT, folder=tmp_path)  # the input of a test is empty
    for done in (closed, empty):
        assert (done.returncode, done.stderr) == (0, "") and "you left the game" in done.stdout
