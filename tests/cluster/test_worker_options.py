"""muzero-worker refuses what cannot work, before it starts anything, and says what would."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from commands import code

from muzero.cli import worker
from muzero.cli.worker import worker_command
from muzero.cluster import tokens
from muzero.config import ConfigError


@pytest.fixture(autouse=True)
def restored():
    """The command is a whole process's: it takes its signals and its environment."""
    signals = signal.SIGINT, signal.SIGTERM, signal.SIGHUP
    handlers, environment = [signal.getsignal(number) for number in signals], dict(os.environ)
    yield
    for number, handler in zip(signals, handlers, strict=True):
        signal.signal(number, handler)
    os.environ.clear()
    os.environ.update(environment)


@pytest.mark.parametrize("arguments", [[], ["--head", "--address", "10.0.0.1:6379"]])
def test_one_of_head_and_address_is_needed(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        worker_command(arguments)
    assert ended.value.code == 2 and "--address HOST:PORT joins a cluster, --head starts one" in capsys.readouterr().err


def test_a_misspelt_option_names_the_nearest(capsys):
    with pytest.raises(SystemExit) as ended:
        worker_command(["--adress", "10.0.0.1:6379"])
    assert ended.value.code == 2 and "--address" in capsys.readouterr().err


@pytest.mark.parametrize("address", ["10.0.0.1", ":6379", "10.0.0.1:", "10.0.0.1:0", "10.0.0.1:65536", "host:\x1b[2J"])
def test_what_is_no_address_is_refused_and_shown_safely(address):
    with pytest.raises(ConfigError, match="is not an address; expected HOST:PORT") as error:
        worker_command(["--address", address])
    assert "\x1b" not in str(error.value)


def test_a_head_with_a_token_that_others_can_read_is_refused(tmp_path, monkeypatch):
    token = tmp_path / "token"
    token.write_text("ab" * 32)
    token.chmod(0o644)
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(token))
    monkeypatch.delenv("RAY_AUTH_TOKEN", raising=False)
    with pytest.raises(ConfigError, match=f"chmod 600 {token}"):
        worker_command(["--head"])


@pytest.mark.parametrize("port", ["0", "65536", "-1"])
def test_a_port_that_does_not_exist_is_refused(port, capsys):
    with pytest.raises(SystemExit):
        worker_command(["--head", "--port", port])
    assert "expected 1 to 65535" in capsys.readouterr().err


def test_a_head_whose_port_is_taken_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(tmp_path / "token"))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"already listens at 127.0.0.1:{port}.* another --port"):
            worker_command(["--head", "--node-ip-address", "127.0.0.1", "--port", str(port)])


def test_a_head_prints_the_command_to_join_and_no_advice_of_ray(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    short = tempfile.mkdtemp(prefix="mz", dir="/tmp")  # names of sockets have to fit
    private = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    private |= {"RAY_AUTH_TOKEN_PATH": str(tmp_path / "token"), "RAY_TMPDIR": short, "PYTHONUNBUFFERED": "1"}
    words = ["--head", "--node-ip-address", "127.0.0.1", "--port", str(port), "--cpus", "0"]
    log = (tmp_path / "log").open("w+")
    head = subprocess.Popen(
        [sys.executable, "-c", code("worker"), *words], env=private, stdout=log, stderr=subprocess.STDOUT
    )
    try:
        end = time.monotonic() + 90
        while "to train" not in (said := (tmp_path / "log").read_text()):
            assert head.poll() is None and time.monotonic() < end, said
            time.sleep(0.1)
    finally:
        head.terminate()
        ended = head.wait(60)
        shutil.rmtree(short, ignore_errors=True)
    assert ended == 128 + signal.SIGTERM
    assert f"  muzero-worker --address 127.0.0.1:{port}\n" in said and str(tmp_path / "token") in said
    assert "ray start" not in said and "HOST:PORT" not in said


def test_ray_that_does_not_end_when_asked_is_killed_with_what_it_started(tmp_path, monkeypatch):
    deaf, started = tmp_path / "ray", tmp_path / "started"
    deaf.write_text(
        f"#!/bin/sh\ntrap '' TERM\nsleep 1000 &\necho $! >{started}.new && mv {started}.new {started}\nwait\n"
    )
    deaf.chmod(0o755)
    monkeypatch.setattr(tokens, "ray_command", lambda: str(deaf))
    monkeypatch.setattr(worker, "ENDING", 0.2)

    def announce() -> bool:
        if started.exists():
            os.kill(os.getpid(), signal.SIGTERM)
        return started.exists()

    node = worker.Node()
    assert node.run([], announce) == -signal.SIGKILL and node.stopping == signal.SIGTERM
    state = Path(f"/proc/{int(started.read_text())}/stat")
    while state.exists() and ") Z " not in state.read_text():  # a dead process may wait for its parent
        pass
