"""muzero-watch: an episode in the terminal and as a file; mistakes are explained."""

import os
import pty
import re
import select
import signal
import time

import numpy as np
import pytest
import untrained
from commands import Running, called, command
from rich.console import Console

from muzero.cli.watch import parsed, written
from muzero.cli.watch_episode import Watched
from muzero.cli.watch_view import Pace, position, sparkline, view
from muzero.interactive.episode import Trace
from muzero.interactive.films import Moving, Strip
from muzero.interactive.scene_picture import ScenePictures

Image = pytest.importorskip("PIL.Image")
CART = ["zoo/CartPole-v1", "--simulations", "2"]


def decoded(path):
    av = pytest.importorskip("av")
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def test_an_episode_in_a_pipe_is_a_line_for_each_step(tmp_path):
    result = command("watch", *CART, "--steps", "5", folder=tmp_path)
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[0].startswith("gym/CartPole-v1") and "2 simulations" in lines[0]
    assert [line.split("  ")[0] for line in lines[1:-1]] == [f"step {step}" for step in range(5)]
    assert all(re.search(r"reward 1  expected \+(0\.9|1\.0)", line) for line in lines[1:-1])
    assert lines[-1] == "stopped by --steps: score 5 after 5 steps"


def test_a_film_is_written_and_never_replaced_in_silence(tmp_path):
    for name in ("film.mp4", "film.gif"):
        words = [*CART, "--steps", "4", "--fps", "10", "--out", name]
        result = command("watch", *words, folder=tmp_path)
        assert result.returncode == 0, result.stderr
        assert f"wrote 5 pictures to {name}" in result.stdout
        frames = decoded(tmp_path / name)
        assert len(frames) == 5 + 15  # the last one is held for 1.5 s
        assert np.abs(frames[0].astype(int) - frames[4]).max() > 100 and frames[0].std() > 20
        content = (tmp_path / name).read_bytes()
        refused = command("watch", *words, folder=tmp_path)
        assert refused.returncode == 2 and "the file exists; give another name, or --force" in refused.stderr
        assert (tmp_path / name).read_bytes() == content
    assert sorted(path.name for path in tmp_path.iterdir()) == ["film.gif", "film.mp4"]
    assert command("watch", *words, "--force", folder=tmp_path).returncode == 0


def test_a_strip_shows_the_steps_that_are_asked_for(tmp_path):
    result = command("watch", *CART, "--steps", "6", "--out", "strip.png", "--at", "0,3", folder=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "wrote 2 pictures to strip.png" in result.stdout
    with Image.open(tmp_path / "strip.png") as strip:
        assert strip.width > 1600 and strip.height < 520
    nothing = command("watch", *CART, "--steps", "2", "--out", "none.png", "--at", "9", folder=tmp_path)
    assert "no picture was made" in nothing.stdout and not (tmp_path / "none.png").exists()


def test_an_interrupted_film_is_complete(tmp_path):
    pytest.importorskip("av")
    words = ["zoo/CartPole-v1", "--out", "film.mp4"]
    child = Running("watch", *words, folder=tmp_path)
    deadline = time.monotonic() + 100
    while not list(tmp_path.glob(".film-*.mp4")) and time.monotonic() < deadline:
        select.select([], [], [], 0.05)
    child.send_signal(signal.SIGINT)
    printed, _ = child.communicate()
    assert child.returncode == 130 and "interrupted, " in printed
    assert len(decoded(tmp_path / "film.mp4")) > 1 and [path.name for path in tmp_path.iterdir()] == ["film.mp4"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["zoo/CartPol-v1"], "did you mean zoo/CartPole-v1?"),
        (["random"], "random is not a run"),
        ([*CART, "--against", "random"], "gym/CartPole-v1 has a single agent; leave it out"),
        ([*CART, "--sticky"], "--sticky is for Atari games; this is gym/CartPole-v1"),
        (["zoo/tic_tac_toe", "--against", "human"], "a person plays with muzero-play"),
        (["zoo/tic_tac_toe", "--against", "minimx"], "no such player"),
    ],
)
def test_what_does_not_fit_is_refused(words, message):
    from muzero.config import ConfigError

    with pytest.raises(ConfigError, match=re.escape(message)), Watched(parsed(words)):
        pass


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--out", "a.mpg"], "ends in .mp4, .gif, .png; did you mean .mp4?"),
        (["--out", "nowhere/a.png"], "there is no folder nowhere"),
        (["--fps", "0"], "steps in a second, from 0.1 to 240"),
        (["--at", "3"], "--at is of a strip of pictures"),
        (["--force"], "--force is of a file"),
        (["--step", "3"], "did you mean --steps"),
        (["--out", "a.png", "--at", "x"], "numbers of steps, such as 0,40,80"),
    ],
)
def test_misused_options_are_explained(words, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as end:
        parsed(["zoo/breakout", *words])
    assert end.value.code == 2 and message in capsys.readouterr().err


@pytest.mark.parametrize("size", [(100, 30), (70, 24), (40, 15), (20, 8)])
@pytest.mark.parametrize("run", ["zoo/CartPole-v1", "zoo/breakout", "zoo/connect_four"])
def test_a_scene_fits_into_the_terminal(run, size):
    width, height = size
    trace = Trace()
    with Watched(parsed([run, "--simulations", "4"])) as watched:
        for scene in watched.scenes():
            trace.add(scene)
            if scene.step == 12:
                break
        console = Console(width=width, height=height, force_terminal=True, color_system="truecolor")
        lines = console.render_lines(view(console, watched.title, scene, trace, Pace(10, None)), pad=False)
    assert len(lines) <= height
    assert all(sum(segment.cell_length for segment in line) <= width for line in lines)
    text = "\n".join("".join(segment.text for segment in line) for line in lines)
    assert height < 15 or ("step 12" in text and "score" in text)
    assert "gym/" in text or "minatar/" in text or "board/" in text


@pytest.mark.parametrize("size", [(100, 30), (70, 24), (30, 15)])
@pytest.mark.parametrize(
    ("game", "planner", "titles"),
    [
        ("gym/Pendulum-v1", "mppi", "number network plays"),
        ("gym/Pendulum-v1", "reactive", "number network plays"),
        ("gym/CartPole-v1", "cem", "move prior planner"),
        ("gym/CartPole-v1", "reactive", "move prior"),
    ],
)
def test_planners_without_a_tree_are_shown_too(game, planner, titles, size, tmp_path):
    few = [] if planner == "reactive" else ["planner.population=8", "planner.elites=4"]
    folder, trace = untrained.run(tmp_path / "run", game, f"planner.kind={planner}", *few), Trace()
    with Watched(parsed([str(folder), "--steps", "3"])) as watched:
        scene = next(iter(watched.scenes()))
        trace.add(scene)
        console = Console(width=size[0], height=size[1], force_terminal=True, color_system=None)
        with console.capture() as shown:
            console.print(view(console, watched.title, scene, trace, Pace(10, None)))
        picture = ScenePictures(watched.title).draw(scene)
    text = shown.get()
    assert all(len(line) <= size[0] for line in text.split("\n")) and len(text.split("\n")) <= size[1] + 1
    assert all(title in text for title in titles.split()) and "expected" in text
    assert "visits" not in text
    assert len(np.unique(np.asarray(picture)[100:230, -380:])) > 20  # the panel of the moves is not empty


def test_keys_pause_show_the_next_step_and_end(tmp_path):
    """In a real terminal: what is shown stays while it is paused."""
    child, handle = pty.fork()
    if not child:
        screen = {"TERM": "xterm-256color", "COLUMNS": "90", "LINES": "28"}
        os._exit(called("watch", [*CART, "--fps", "200"], tmp_path, screen))
    seen = ""

    def until(pattern):
        nonlocal seen
        deadline = time.monotonic() + 100
        while not re.search(pattern, seen) and time.monotonic() < deadline:
            if select.select([handle], [], [], 1)[0]:
                seen += os.read(handle, 65536).decode("utf-8", "replace")
        assert re.search(pattern, seen), seen[-500:]
        found, seen = re.search(pattern, seen), ""
        return found

    until(r"step \d")
    os.write(handle, b" ")
    until(r"paused")
    os.write(handle, b"n")
    until(r"paused")
    os.write(handle, b"q")
    assert "score" in until(r"not played to its end: score \d+ after \d+ steps")[0]
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    os.close(handle)


def test_a_line_of_blocks_has_its_ends():
    assert sparkline([0.0, float("nan"), 1.0], 10) == "▁ █" and sparkline([float("nan")], 5) == ""
    assert sparkline(list(range(8)), 4) == "▁▃▆█"


def test_a_strip_keeps_few_pictures_of_a_long_episode(tmp_path):
    strip = Strip(tmp_path / "a.png", 4)
    for step in range(1000):
        strip.add(Image.new("RGB", (4, 4), (step % 256, step // 256, 0)), step)
        assert len(strip._kept) <= 4 * 4 + 1
    strip.close()
    with Image.open(tmp_path / "a.png") as sheet:
        corners = [sheet.getpixel((10 + 12 * column, 10 + 12 * row)) for row in range(2) for column in range(2)]
    steps = [red + 256 * green for red, green, _ in corners]
    assert steps[0] == 0 and steps[-1] == 999 and np.ptp(np.diff(steps)) < 130


def test_a_film_that_fails_leaves_the_old_file(tmp_path):
    pytest.importorskip("av")
    path = tmp_path / "a.gif"
    path.write_bytes(b"old")
    film = Moving(path, 10)
    film.close()
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


def test_a_film_that_cannot_be_written_is_not_there(tmp_path, monkeypatch):
    pytest.importorskip("av")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Moving, "_write", full)
    with Watched(parsed([*CART, "--steps", "3"])) as watched, pytest.raises(OSError, match="No space"):
        written(Moving(tmp_path / "a.mp4", 10), watched)
    assert not list(tmp_path.iterdir())


def test_a_board_shows_its_sides_and_the_last_move():
    with Watched(parsed(["zoo/tic_tac_toe", "--simulations", "2", "--steps", "2"])) as watched:
        scenes = list(watched.scenes())
    console = Console(force_terminal=True, color_system="standard", width=80)
    drawn = position(console, scenes[2], 40, 20)
    assert drawn.plain.count("[") == 1 and drawn.no_wrap
    assert {"bold red", "bold cyan", "reverse"} <= {str(span.style) for span in drawn.spans}


def test_every_agent_of_the_zoo_has_a_picture():
    from muzero.interactive.scene_picture import ScenePictures
    from muzero.runs.zoo import names

    for name in names():
        with Watched(parsed([name, "--simulations", "2", "--steps", "3"])) as watched:
            pictures = ScenePictures(watched.title)
            drawn = [np.asarray(pictures.draw(scene)) for scene in watched.scenes()]
        assert len({each.shape for each in drawn}) == 1 and drawn[0].shape[0] % 2 == drawn[0].shape[1] % 2 == 0
        assert not np.array_equal(drawn[0], drawn[-1])
