"""The engine that speaks the Go Text Protocol: what it answers to right and wrong commands, and whole games."""

import random
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import untrained

from muzero.config import ConfigError
from muzero.games.board import BoardGames
from muzero.interactive.gtp_engine import GtpEngine
from muzero.interactive.strength import at_strength
from muzero.play.match import play
from muzero.players.gtp import GtpPlayer
from muzero.players.uniform import RandomPlayer

pytest.importorskip("pyspiel")
GO, OTHELLO, SMALL_OTHELLO, FOUR = "board/go(board_size=5)", "board/othello", "board/othello_6x6", "board/connect_four"
GAMES = (GO, OTHELLO, SMALL_OTHELLO, FOUR, "board/gomoku(size=7)", "board/tic_tac_toe", "board/hex(board_size=4)")


@pytest.fixture(scope="module")
def agents():
    made = {}

    def find(game):
        if game not in made:
            made[game] = untrained.agent(game)
        return made[game]

    return find


@pytest.fixture
def engine(agents):
    return lambda game, **more: GtpEngine(at_strength(agents(game)), "1.0", **more)


def ask(engine, *lines):
    """The answers, without the empty lines that end them."""
    answers = [engine.answer(line) for line in lines]
    assert all(re.fullmatch(r"[=?].*(\n.+)*\n\n", answer) for answer in answers), answers
    return [answer.rstrip("\n").replace("= \n", "=\n") for answer in answers]


# --- the protocol --------------------------------------------------------------------------------------------------


def test_answers_carry_the_number_of_their_command(engine):
    game = engine(GO)
    assert ask(game, "protocol_version", "12 name", "7 nonsense") == ["= 2", "=12 muzero", "?7 unknown command"]
    assert [game.answer(line) for line in ("", "   ", "# a remark", "\x01\t")] == ["", "", "", ""]
    assert ask(game, "3\tname # and more", "na\x00me\r") == ["=3 muzero", "= muzero"]


@pytest.mark.parametrize("game", GAMES)
def test_commands_that_are_listed_are_known_and_the_required_ones_are_listed(engine, game):
    made = engine(game)
    listed = ask(made, "list_commands")[0].removeprefix("= ").split("\n")
    assert all(ask(made, f"known_command {name}") == ["= true"] for name in listed)
    needed = "protocol_version name version known_command list_commands quit boardsize clear_board komi play genmove"
    assert {*needed.split(), "undo", "showboard", "reg_genmove", "time_settings", "time_left"} <= set(listed)
    assert ask(made, "known_command nonsense") == ["= false"]


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("boardsize 6", "? unacceptable size"),
        ("boardsize -5", "? unacceptable size"),
        ("boardsize " + "9" * 5000, "? unacceptable size"),
        ("boardsize", "? syntax error: boardsize needs 1 argument, got 0"),
        ("play black", "? syntax error: play needs 2 arguments, got 1"),
        ("play green a1", "? syntax error: 'green'; expected black or white"),
        ("play black z9", "? illegal move"),
        ("play black a1a", "? illegal move"),
        ("play black \x1b[31mred", "? illegal move"),
        ("genmove", "? syntax error: genmove needs 1 argument, got 0"),
        ("komi nan", "? syntax error: 'nan'; expected a number"),
        ("komi 1e999", "? syntax error: '1e999'; expected a number"),
        ("time_left black soon 0", "? syntax error: 'soon'; expected a number"),
        ("undo", "? cannot undo"),
    ],
)
def test_bad_input_is_refused_and_changes_nothing(engine, line, answer):
    game = engine(GO)
    board = ask(game, "showboard")
    assert ask(game, line) == [answer] and ask(game, "showboard") == board


def test_no_sequence_of_words_ends_the_engine_or_breaks_its_answers(engine):
    rng, game = random.Random(0), engine(GO)
    words = [
        "black",
        "white",
        "b",
        "pass",
        "a1",
        "c3",
        "resign",
        "5",
        "-1",
        "7.5",
        "#",
        "\xff",
        "\x00",
        "%s",
        "\\n",
        "",
    ]
    names = [name for name in ask(game, "list_commands")[0].removeprefix("= ").split("\n") if name != "quit"]
    for _ in range(400):
        line = " ".join(
            [rng.choice(["", "1", "999"]), rng.choice([*names, "zzz"]), *rng.choices(words, k=rng.randrange(4))]
        )
        answer = game.answer(line)
        assert answer == "" or re.fullmatch(r"[=?].*(\n.+)*\n\n", answer), (line, answer)
    assert not game.over and game.answer("quit") == "=\n\n" and game.over


# --- the game ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("game", GAMES)
def test_a_generated_game_is_legal_and_comes_to_an_end(engine, game):
    made, turn = engine(game), 0
    for _ in range(130):
        before = ask(made, "showboard")
        hint = ask(made, f"reg_genmove {'bw'[turn]}")[0]
        assert ask(made, "showboard") == before
        move = ask(made, f"genmove {'bw'[turn]}")[0]
        if move == "? the game is over":
            break
        assert move == hint and re.fullmatch(r"= ([A-Z]\d+|PASS)", move)
        turn = 1 - turn
    else:
        pytest.fail("the game does not end")
    assert re.fullmatch(r"= (0|[BW]\+[\d.]+)", ask(made, "final_score")[0])
    assert ask(made, "play black a1")[0].startswith("? illegal move")
    while ask(made, "undo") == ["="]:
        pass
    assert ask(made, "showboard") == ask(engine(game), "showboard")


def test_a_player_who_moves_twice_lets_the_other_pass(engine):
    game = engine(GO)
    assert ask(game, "play black c3", "play black c4", "play white b2") == ["=", "=", "="]
    board = ask(game, "showboard")[0]
    assert board.count("X") == 2 and board.count("O") == 1
    ask(game, "undo", "undo")
    assert ask(game, "showboard")[0].count("X") == 1 and ask(game, "play white c4") == ["="]
    ask(game, "clear_board", "play black pass")
    assert ask(game, "play black a1") == ["? illegal move: it is the turn of white, whose pass would end the game"]
    assert ask(engine(FOUR), "play white d1") == ["? illegal move: it is the turn of black"]


def test_a_move_that_is_refused_leaves_no_pass_behind(engine):
    game = engine(GO)
    assert ask(game, "play black c3", "play black c3", "play white c4") == ["=", "? illegal move", "="]


def test_go_is_scored_by_area_with_the_komi_that_was_set(engine):
    game = engine(GO)
    assert ask(game, "final_score", "komi 0", "final_score") == ["= W+7.5", "=", "= 0"]
    ask(game, "play black c1", "play white d1", "play black c2", "play white d2", "play black c3", "play white d3")
    ask(game, "play black c4", "play white d4", "play black c5", "play white d5", "komi 4.5")
    assert ask(game, "final_score") == ["= B+0.5"]  # 15 points, 10 points


def test_othello_is_scored_by_discs_and_shown_to_programs(engine):
    game = engine(OTHELLO)
    assert ask(game, "play black d3", "final_score") == ["=", "= B+3"]
    rows = ask(game, "gogui-rules_board")[0].split("\n")[1:]
    assert rows[8 - 3] == ". . . X . . . ." and len(rows) == 8  # the last row comes first
    assert ask(game, "gogui-rules_game_id", "gogui-rules_board_size") == ["= Othello", "= 8"]
    assert ask(game, "gogui-rules_side_to_move", "gogui-rules_legal_moves") == ["= white", "= C3 E3 C5"]


def test_a_column_is_enough_in_connect_four(engine):
    game = engine(FOUR)
    assert ask(game, "boardsize 7", "rectangular_boardsize 7 6", "boardsize 6")[2] == "? unacceptable size"
    moves = [f"play {colour} {column}" for _ in range(3) for colour, column in (("black", "a"), ("white", "b"))]
    assert ask(game, *moves, "play b a1")[-2:] == ["=", "? illegal move"]
    assert ask(game, "play b a4", "final_score") == ["=", "= B+1"]
    assert ask(game, "gogui-rules_final_result", "genmove w") == ["= B+1 (four in a row)", "? the game is over"]


def test_resigning_ends_the_game_until_it_is_taken_back(engine):
    game = engine(GO, resign_below=9.0)
    assert ask(game, "genmove black", "final_score") == ["= resign", "= W+R"]
    assert ask(game, "genmove white", "undo", "play black a1") == ["? the game is over", "=", "="]
    assert ask(game, "play white resign", "final_score") == ["=", "= B+R"]


def test_games_whose_moves_are_not_points_are_refused(engine):
    for game in ("board/chess", "board/nim"):
        with pytest.raises(ConfigError, match=rf"no names for the moves of {game}; expected Go, Othello"):
            engine(game)


# --- as a program --------------------------------------------------------------------------------------------------


def started(folder, *words):
    code = "__import__('muzero.cli.gtp').cli.gtp.main()"  # a semicolon would begin a command for the engine
    return shlex.join([sys.executable, "-c", code, str(folder), *words])


def test_the_client_of_this_package_plays_against_the_engine():
    player = GtpPlayer(started("zoo/connect_four", "--simulations", "2"))
    outcomes = play(BoardGames("connect_four", 2, training=False), player, RandomPlayer(), range(2), 0)
    player.close()
    assert re.fullmatch(r"muzero ([\d.]+ )?zoo/connect_four", player.title)
    assert [each.score for each in outcomes] == [1, 1]


def test_the_engine_ends_with_its_input(tmp_path):
    folder = untrained.run(tmp_path / "run", "board/tic_tac_toe")
    words = shlex.split(started(folder))
    lines = b"1 name\n" + b"x" * 200_000 + b"\nplay black \xff\xfe\n2 genmove black"  # the last without an end
    done = subprocess.run(words, input=lines, capture_output=True, timeout=100)
    assert (done.returncode, done.stderr) == (0, b"")
    assert re.fullmatch(rb"=1 muzero\n\n\? unknown command\n\n\? illegal move\n\n=2 [ABC][123]\n\n", done.stdout), (
        done.stdout
    )


@pytest.mark.skipif(not (shutil.which("gnugo") or Path("/usr/games/gnugo").exists()), reason="GNU Go is not installed")
def test_gnu_go_accepts_the_moves_and_agrees_on_the_score(engine):
    game = engine("board/go(board_size=7)")
    gnu = f"{shutil.which('gnugo') or '/usr/games/gnugo'} --mode gtp --level 0 --chinese-rules"
    other = subprocess.Popen(shlex.split(gnu), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def gnugo(line):
        other.stdin.write(f"{line}\n")
        other.stdin.flush()
        text = other.stdout.readline()
        while not text.endswith("\n\n"):
            text += other.stdout.readline()
        assert text.startswith("="), (line, text)
        return text.removeprefix("=").strip()

    for line in ("boardsize 7", "clear_board", "komi 5.5"):
        assert ask(game, line) == ["="]
        gnugo(line)
    answer = ""
    while answer != "PASS":
        gnugo(f"play black {ask(game, 'genmove black')[0].removeprefix('= ')}")
        answer = gnugo("kgs-genmove_cleanup white")  # it captures dead stones before it passes
        assert ask(game, f"play white {answer}") == ["="]
    if ask(game, "play black pass") == ["="]:  # else both have passed already
        gnugo("play black pass")
    assert ask(game, "genmove white") == ["? the game is over"]
    assert ask(game, "final_score") == [f"= {gnugo('final_score')}"]
    stones = [ask(game, "gogui-rules_board")[0].count(mark) for mark in "XO"]
    assert stones == [gnugo("showboard").count(mark) - 1 for mark in "XO"]  # one in the legend
    gnugo("quit")
    assert other.wait(timeout=30) == 0
