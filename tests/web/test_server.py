"""The command: on 127.0.0.1 alone, with errors in words, and an end by Ctrl-C."""

import signal
import socket
import subprocess
import sys

import httpx
import pytest

from muzero.cli.serve import parsed
from muzero.web.server import listening

# Prints every address that a socket of the process is bound or connected to, or whose name it looks up.
AUDITED = """
import sys
def heard(event, given):
    if event in ("socket.bind", "socket.connect", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname"):
        place = given[:2] if event.startswith("socket.get") else given[1]
        print("audit", event, place, file=sys.stderr, flush=True)
sys.addaudithook(heard)
from muzero.cli.serve import main
main()
"""


def started(*words):
    command = [sys.executable, "-c", AUDITED, *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_it_serves_on_loopback_alone_until_ctrl_c():
    with started("zoo/tic_tac_toe", "--simulations", "4") as process:
        try:
            address = next(line.strip() for line in process.stdout if "http://" in line)
            with httpx.Client(base_url=address.partition("/?")[0], trust_env=False) as client:
                assert client.get(address).status_code == 200
                state = client.post("/api/tables", json={"people": []}).json()
                for _ in range(3):
                    state = client.post(f"/api/tables/{state['table']}/moves", json=state | {"action": None}).json()
                assert state["ply"] == 3
        finally:
            process.send_signal(signal.SIGINT)
        output, errors = process.communicate()
    assert process.returncode == 0 and output.rstrip().endswith("stopped")
    audited = [line for line in errors.splitlines() if line.startswith("audit")]
    assert len(audited) == len(errors.splitlines()), errors
    assert audited and all("'127.0.0.1'" in line for line in audited), audited


def test_answers_are_sent_at_once():
    with socket.socket() as unnamed, listening(0) as opened:
        assert opened.proto == socket.IPPROTO_TCP != unnamed.proto  # by which asyncio decides
        assert opened.getsockname()[0] == "127.0.0.1"


def test_a_port_that_is_taken_is_named(page):
    port = page.origin.rpartition(":")[2]
    with started("zoo/tic_tac_toe", "--port", port) as process:
        output, errors = process.communicate()
    assert process.returncode == 1 and not output
    assert f"port {port} of 127.0.0.1 cannot be used (Address already in use)" in errors


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["zoo/tic_tac_toe", "--port", "70000"], "--port 70000; expected 0 to 65535"),
        (["zoo/tic_tac_toe", "--prot", "1"], "did you mean --port?"),
        (["zoo/tic_tac_toe", "--strength", "srong"], "did you mean strong?"),
    ],
)
def test_wrong_options_are_refused(words, message, capsys):
    with pytest.raises(SystemExit):
        parsed(words)
    assert message in capsys.readouterr().err


def test_a_run_that_does_not_exist_and_none_list_those_that_do():
    for words, message in ((["zoo/tictactoe"], "did you mean zoo/tic_tac_toe?"), ([], "zoo/breakout")):
        with started(*words) as process:
            output, errors = process.communicate()
        assert process.returncode == 2 and message in output + errors
        assert "for example: muzero-serve zoo/" in output + errors
