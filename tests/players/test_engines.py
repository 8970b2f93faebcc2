"""Engines of others: what is sent to them, and everything that they can do wrong."""

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from muzero.games.board import BoardGames, BoardRules, load
from muzero.interfaces import RESIGN, PlayerError, Positions
from muzero.play.match import play
from muzero.players import engine as players_engine
from muzero.players.engine import Engine
from muzero.players.gtp import GtpPlayer
from muzero.players.uci import UciPlayer
from muzero.players.uniform import RandomPlayer

pytest.importorskip("pyspiel")
SUPPORT = Path(__file__).parents[1] / "support"
GO = "go(board_size=5)"


def command(*words):
    return " ".join([sys.executable, str(SUPPORT / "engines.py"), *words])


@pytest.fixture
def engine():
    players = []

    def make(habit, more="", kind=GtpPlayer):
        players.append(kind(command("uci" if kind is UciPlayer else "gtp", habit) + more))
        return players[-1]

    yield make
    for player in players:
        player.close()


def running(pid):
    """Whether a process that is about to end still runs after many looks."""
    stat = Path(f"/proc/{pid}/stat")
    return all(stat.exists() and stat.read_text().split()[2] != "Z" for _ in range(1_000_000))


def positions(name, *histories):
    rules = []
    for history in histories:
        state = load(name).new_initial_state()
        for action in history:
            state.apply_action(action)
        rules.append(BoardRules(state))
    return Positions.of(rules, np.arange(len(rules)))


def test_an_engine_plays_the_moves_it_names_in_any_order_of_positions(engine):
    player = engine("plain")
    assert player.title == "Tester 1.0"
    assert player.choose(positions(GO, [], [0], [0, 1, 2], [24])).action.tolist() == [0, 1, 3, 0]
    assert player.choose(positions(GO, [0], [])).action.tolist() == [1, 0]


def test_an_engine_that_can_be_seeded_plays_by_the_positions_seed(engine):
    asked = positions(GO, [], [], [])
    assert engine("seeded").choose(asked).action.tolist() == [0, 1, 2]


def test_an_engine_may_pass_and_resign(engine):
    assert engine("passes").choose(positions(GO, [0])).action.tolist() == [25]
    assert engine("resigns").choose(positions(GO, [0])).action.tolist() == [RESIGN]


def test_an_engine_that_would_pass_first_captures_dead_stones(engine):
    assert engine("cleans").choose(positions(GO, [0], [3, 0])).action.tolist() == [1, 1]


def test_an_engine_whose_move_is_not_legal_is_named_with_the_moves(engine):
    with pytest.raises(PlayerError, match=r"plays 'a1', which is not legal after black a1"):
        engine("occupies").choose(positions(GO, [0]))


def test_an_engine_that_dies_is_an_error_with_its_last_words(engine):
    with pytest.raises(PlayerError, match="has ended; it said: out of ideas"):
        engine("dies").choose(positions(GO, [0]))


@pytest.mark.parametrize("habit", ["silent", "errors without end", "slow lines"])
def test_an_engine_whose_answer_never_ends_is_given_up_in_time(engine, habit):
    player = engine(f"'{habit}'")
    player._engine.patience = 0.2
    with pytest.raises(PlayerError, match=r"has not answered within 0\.2 s"):
        player.choose(positions(GO, [0]))


@pytest.mark.parametrize("habit", ["line without end", "lines without end", "empty lines"])
def test_an_engine_that_writes_for_ever_is_given_up_by_size(engine, monkeypatch, habit):
    monkeypatch.setattr(players_engine, "LONGEST", 1_000_000)
    with pytest.raises(PlayerError, match=r"has written more than 1,000,000 bytes in one answer"):
        engine(f"'{habit}'").choose(positions(GO, [0]))


def test_an_engine_that_does_not_read_is_given_up(engine):
    player = engine("deaf")
    player._engine.patience = 0.2
    with pytest.raises(PlayerError, match=r"has not answered within 0\.2 s"):
        player._ask(["genmove black", *["play black a1"] * 100_000])


def test_an_engine_that_logs_much_between_answers_is_not_blocked(engine):
    player = engine("logs")
    for _ in range(3):
        assert player.choose(positions(GO, [0])).action.tolist() == [1]
    with pytest.raises(PlayerError, match=r"it said: thought 999 times$"):
        player._ask(["boardsize 19"])


def test_a_hanging_engine_is_killed_with_its_children(tmp_path):
    script = tmp_path / "wrapper.sh"
    script.write_text(f"exec 3<&0; {command('gtp', 'stubborn')} <&3 & echo $! > {tmp_path}/child; wait")
    player = Engine(f"sh {script}")
    player.send(["name"])
    while player.line() != "= Tester":
        pass
    child = int((tmp_path / "child").read_text())
    player.close()
    assert not running(child) and player._process.returncode == -signal.SIGKILL


def test_a_board_that_the_engine_does_not_know_is_an_error(engine):
    with pytest.raises(PlayerError, match=r"refuses 'boardsize 13': \? unacceptable size"):
        engine("plain").choose(positions("go(board_size=13)", []))


@pytest.mark.parametrize(
    ("kind", "argument", "message"),
    [
        (GtpPlayer, command("chatter"), "does not speak GTP: it says 'Welcome to a program"),
        (UciPlayer, command("uci", "plain") + "; setoption name Skill value 3", "No such option: Skill"),
    ],
)
def test_an_engine_that_is_refused_at_its_start_is_ended_at_once(monkeypatch, kind, argument, message):
    started = []

    class Recorded(Engine):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            started.append(self)

    monkeypatch.setattr(f"{kind.__module__}.Engine", Recorded)
    with pytest.raises(PlayerError, match=message):
        kind(argument)
    assert started[0]._process.returncode is not None


@pytest.mark.parametrize("words", ["", "/nowhere/engine --gtp", "unclosed 'quote"])
def test_a_command_that_cannot_be_started_is_an_error(words):
    with pytest.raises(PlayerError, match="cannot be started"):
        GtpPlayer(words)


def test_engines_play_their_own_games_only(engine):
    with pytest.raises(PlayerError, match="plays board/go"):
        engine("plain").choose(positions("tic_tac_toe", []))
    with pytest.raises(PlayerError, match="plays board/chess only"):
        engine("good", kind=UciPlayer).choose(positions("tic_tac_toe", []))


def test_a_closed_engine_leaves_no_process(engine):
    player = engine("plain")
    process = player._engine._process
    player.close()
    assert process.returncode is not None


def test_a_chess_engine_gets_the_position_and_its_move_is_played(engine):
    player = engine("good", kind=UciPlayer)
    action = int(player.choose(positions("chess", [])).action[0])
    assert player.title == "Tester 1.0"
    assert load("chess").new_initial_state().action_to_string(action) == "e4"


def test_a_chess_engine_that_cheats_or_would_never_end_is_an_error(engine):
    with pytest.raises(PlayerError, match=r"says 'bestmove e2e5', which is not a legal move"):
        engine("cheats", kind=UciPlayer).choose(positions("chess", []))
    with pytest.raises(PlayerError, match="has no end"):
        UciPlayer("stockfish; go infinite")


def area_score(state, size=9):
    """Points of black less white by Tromp and Taylor's rules: stones, and empty regions that touch one colour only."""
    rows = [line.split()[1] for line in str(state).splitlines() if line[:2].strip().isdigit()]
    board = {(x, y): rows[y][x] for x in range(size) for y in range(size)}
    points, seen = 0, set()
    for spot, colour in board.items():
        if colour in "XO":
            points += 1 if colour == "X" else -1
        elif spot not in seen:
            region, waiting, borders = set(), [spot], set()
            while waiting:
                x, y = waiting.pop()
                if board[x, y] in "XO":
                    borders.add(board[x, y])
                elif (x, y) not in region:
                    region.add((x, y))
                    around = ((x + 1, y), (x - 1, y), (x, y + 1), (x, y - 1))
                    waiting += [near for near in around if near in board]
            seen |= region
            if len(borders) == 1:
                points += len(region) * (1 if "X" in borders else -1)
    return points


@pytest.mark.skipif(not (shutil.which("gnugo") or Path("/usr/games/gnugo").exists()), reason="GNU Go is not installed")
def test_games_against_gnu_go_are_legal_finished_and_scored_by_area():
    name = "go(board_size=9)"
    player = GtpPlayer(f"{shutil.which('gnugo') or '/usr/games/gnugo'} --mode gtp --level 1")
    outcomes = play(BoardGames(name, 6, training=False), player, RandomPlayer(), range(6), 0, (2, 4))
    player.close()
    assert "GNU Go" in player.title
    for outcome in outcomes:
        state = load(name).new_initial_state()
        for action in outcome.actions:
            assert action in state.legal_actions()
            state.apply_action(action)
        first = outcome.score if outcome.seat == 0 else -outcome.score
        assert state.is_terminal() and outcome.score == 1  # chance never beats an engine
        assert np.sign(area_score(state) - 7.5) == first


@pytest.mark.skipif(not Path("/usr/games/stockfish").exists(), reason="Stockfish is not installed")
def test_games_against_stockfish_are_won():
    player = UciPlayer("/usr/games/stockfish; go nodes 200")
    outcomes = play(BoardGames("chess", 2, training=False), player, RandomPlayer(), range(2), 0, (2, 4))
    player.close()
    assert [outcome.score for outcome in outcomes] == [1.0, 1.0]


def test_an_engine_does_not_outlive_a_driver_that_is_killed():
    code = (
        "import os, signal, sys\n"
        "from muzero.players.gtp import GtpPlayer\n"
        f"player = GtpPlayer({command('gtp', 'plain')!r})\n"
        "print(player._engine._process.pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert not running(int(done.stdout))  # it reads the end of its input, and ends
