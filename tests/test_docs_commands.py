"""Every command and every Python block of the README and the documentation runs, with small settings."""

import importlib
import io
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import pytest
from commands import code, command, sets

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
# What continuous integration runs itself (.ci/run), or what begins an environment for it.
INSTALLATION = re.compile(r"(\S*python3|\S*pip|pytest|\.ci/\w+|\.|export) ")
SMALL = [  # what the documentation says -> what is small enough for a test
    (r"^torchrun .* -- ", ""),  # tests/training/test_several_learners.py starts several
    (r"--games \d+", "--games 2"),
    (r"--checkpoints \d+", "--checkpoints 1"),
    (r"mcts:\d+", "mcts:2"),
    (r"@64", "@2"),
    (r"--until-interval \S+", "--until-interval 400elo"),
    (r"--sprt 0,30", "--sprt 0,900"),
    (r"fresh:\d+", "fresh:2"),
    (r"simulations=[\d,]+", "simulations=0,2"),
    (r"--time \S+", "--time 2s"),
    (r"--seconds \d+", "--seconds 0.1"),
    (r"--updates \d+", "--updates 8 --set run.reanalyse_every=4"),
    (r"--actors auto", "--actors 1"),
    (r"python/my_module:MyGame", "python/nim:Nim"),
]
SHORT = sets("run.steps=200", "run.start=50", "run.evaluation_games=2", "run.save_every=100")
SHORTER = {  # per family: what a documented training gets on top
    "": ["run.steps=64", "run.start=32", "run.games=2", "run.play=2", "run.evaluation_games=2", "learner.batch=8"],
    "atari": ["model.channels=4", "model.smallest_side=6", "game.size=24"],
    "minatar": ["model.channels=4"],
}
PLANNED = {"gym/Pendulum-v1": ["planner.population=4", "planner.elites=2"]}  # by sequences, where others search


def commands():
    """The commands of all pages, each once: command -> page."""
    seen = {}
    for page in PAGES:
        for block in re.findall(r"^```bash\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE):
            for line in re.sub(r"(?:(&&)|\\)\n\s*", r"\1 ", block).splitlines():
                for part in line.split("&&"):
                    if words := shlex.split(part, comments=True):
                        seen.setdefault(shlex.join(words).replace(".venv/bin/", ""), page.stem)
    return {text: page for text, page in seen.items() if not INSTALLATION.match(text + " ")}


COMMANDS = commands()
CLUSTER = [text for text in COMMANDS if "10.0.0.1" in text]  # these need each other


def small(text):
    """The words of a command, so that it takes seconds."""
    for pattern, replacement in SMALL:
        text = re.sub(pattern, replacement, text)
    words = shlex.split(text)
    if words[0] == "muzero-train" and "--explain" not in words and "--resume" not in words:
        game = words[words.index("--game") + 1]
        planned = PLANNED.get(game, ["planner.simulations=2"])
        settings = [*SHORTER[""], *planned, *SHORTER.get(game.split("/")[0], [])]
        words += [word for setting in settings for word in ("--set", setting)]
    if "--run" in words:
        words[words.index("--run") + 1] = "runs/new"
    if any(word.startswith("fresh:") for word in words):  # for Connect Four only
        words[words.index("runs/first")] = "runs/four"
    return words


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """A folder with the runs that the documentation speaks of, and the game that the README defines."""
    folder = tmp_path_factory.mktemp("documented")
    readme = (ROOT / "README.md").read_text()
    (folder / "nim.py").write_text(re.search(r"^```python\n(class Nim:.*?)^```", readme, re.DOTALL | re.MULTILINE)[1])
    games = {
        "first": "board/tic_tac_toe",
        "cart": "gym/CartPole-v1",
        "four": "board/connect_four",
    }
    for name, game in games.items():
        kind = ["--set", "model.kind='vector'"] if name == "four" else []
        done = command("train", "--game", game, "--run", f"runs/{name}", *kind, *SHORT, folder=folder)
        assert done.returncode == 0, done.stderr
    for name, original in {"second": "first", "a": "first", "b": "first", "pong": "cart"}.items():
        shutil.copytree(folder / "runs" / original, folder / "runs" / name)
    for seed in range(3):
        shutil.copytree(folder / "runs" / "cart", folder / "runs" / f"cart-s{seed}")
    scores = ", ".join(f'"{move}": {0 if move in (0, 2, 6, 8) else -1}' for move in range(9) if move != 4)
    shipped = "configs/board/connect_four.positions.jsonl"
    (folder / shipped).parent.mkdir(parents=True)
    (folder / shipped).write_text("".join((ROOT / shipped).open().readlines()[:3]))
    (folder / "positions.jsonl").write_text(f'{{"moves": [4], "scores": {{{scores}}}}}\n')
    return folder


@pytest.fixture
def there(workspace, monkeypatch):
    """The workspace as the current folder."""
    monkeypatch.chdir(workspace)
    monkeypatch.setattr(sys, "path", [str(workspace), *sys.path])
    monkeypatch.delitem(sys.modules, "nim", raising=False)  # other tests import a game of this name
    # A person who answers with every move in turn, as often as it takes.
    monkeypatch.setattr(sys, "stdin", io.StringIO("".join(f"{move}\n" for move in range(9)) * 9))
    return workspace


@pytest.mark.parametrize("text", [text for text in COMMANDS if text not in CLUSTER])
def test_a_documented_command_runs(there, text, capsys):
    words = small(text)
    shutil.rmtree(there / "runs" / "new", ignore_errors=True)
    name = words[0].removeprefix("muzero-")
    module = importlib.import_module("muzero.cli.evaluate.command" if name == "eval" else f"muzero.cli.{name}")
    found = getattr(module, f"{'evaluate' if name == 'eval' else name}_command")(words[1:])
    assert found == 0, capsys.readouterr().err


def test_the_python_blocks_of_the_readme_run(there, capsys):
    readme = (ROOT / "README.md").read_text()
    for number, block in enumerate(re.findall(r"^```python\n(.*?)^```", readme, re.DOTALL | re.MULTILINE)):
        exec(compile(block, f"README, block {number}", "exec"), {})
        said = re.findall(r"^print\(.*\)  # (.*?)(?:: .*)?$", block, re.MULTILINE)
        assert [line for line in capsys.readouterr().out.splitlines() if line.startswith("[")] == said


def test_the_documented_commands_of_a_cluster_work_together(workspace, tmp_path):
    """The head, a node and a run, each as documented, but on this machine."""
    head, node, train = sorted(CLUSTER, key=lambda text: ("--head" not in text, "muzero-train" in text))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="mz") as short, ExitStack() as started:  # sockets need short names
        kept = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
        environment = kept | {"HOME": str(tmp_path), "RAY_TMPDIR": short, "PYTHONUNBUFFERED": "1"}
        for text, ready in ((f"{head} --port {port}", "the head is ready"), (node, "joining")):
            words = here(text, port)
            process = subprocess.Popen(
                [sys.executable, "-c", code(words[0].removeprefix("muzero-")), *words[1:]],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                env=environment,
                cwd=workspace,
            )
            started.callback(process.wait, 60)
            started.callback(process.terminate)
            printed = iter(process.stdout.readline, "")
            assert any(ready in line for line in printed), f"{text} ended without a word of: {ready}"
        options = here(shlex.join(small(train)), port)[1:]
        done = command("train", *options, folder=workspace, env=environment, fresh=True)
        assert done.returncode == 0, done.stdout + done.stderr


def here(text, port):
    """The words of a command of a cluster, for this machine."""
    return shlex.split(
        re.sub(r"10\.0\.0\.\d:6379", f"127.0.0.1:{port}", text)
        .replace("10.0.0.2", "127.0.0.1")
        .replace("10.0.0.1", "127.0.0.1")
    )
