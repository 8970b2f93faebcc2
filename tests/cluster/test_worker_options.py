"""muzero-worker refuses what cannot work, before it starts anything, and says what would."""

import os
import signal

import pytest

from muzero.cli.worker import worker_command
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
    assert ended.value.code == 2 and "--address HOST:PORT, or be the --head" in capsys.readouterr().err


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
