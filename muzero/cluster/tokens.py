"""The token of a cluster: made, found, checked; and the check that a cluster asks for one."""

from __future__ import annotations

import os
import secrets
import shlex
import shutil
import stat
import subprocess
import sys
from pathlib import Path

from muzero.cluster.host import reachable
from muzero.config import ConfigError
from muzero.util.text import printable

TOKEN_HELP = "put the cluster's token into ~/.ray/auth_token (mode 0600), or name its file in RAY_AUTH_TOKEN_PATH"


class Unreachable(ConfigError):
    """Nothing listens at the address of a cluster."""


def write_token(path: Path) -> Path:
    """Write a new token that only its owner can read.  Returns the path."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(secrets.token_hex(32))
    return path


def ensure_token() -> Path | None:
    """Make a token where Ray looks for one.  Returns its path; None if there was one already."""
    path = token_file()
    if os.environ.get("RAY_AUTH_TOKEN") or path.exists():
        return None
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return write_token(path)


def token_file() -> Path:
    """The path at which Ray looks for the token of a cluster."""
    return Path(os.environ.get("RAY_AUTH_TOKEN_PATH", "~/.ray/auth_token")).expanduser()


def check_token() -> None:
    """Refuse a token that is missing or that other users can read.

    Raises:
        ConfigError: saying where the token must be.
    """
    if os.environ.get("RAY_AUTH_TOKEN"):
        return
    path = token_file()
    try:
        found = path.stat()
    except OSError as error:
        raise ConfigError(
            [f"no token for the cluster: {printable(str(path), 300)}: {error.strerror}; {TOKEN_HELP}"]
        ) from error
    if stat.S_IMODE(found.st_mode) & 0o077:
        shown = printable(str(path), 300)
        mode = f"{stat.S_IMODE(found.st_mode):04o}"
        raise ConfigError([f"{shown} can be read by others (mode {mode}): chmod 600 {shlex.quote(shown)}"])


def require_token(address: str, insecure: bool) -> None:
    """Refuse a cluster that cannot be reached, or that does not ask for a token.

    Raises:
        ConfigError: saying which, and the remedy.
        Unreachable: likewise, if nothing listens at the address.
    """
    shown = printable(address)
    host, colon, port = address.rpartition(":")
    if not colon or not host or not port.isdigit() or not 0 < int(port) < 65_536:
        raise ConfigError([f"{shown} is not an address; expected HOST:PORT, as in 10.0.0.1:6379"])
    if not reachable((host.strip("[]"), int(port))):
        raise Unreachable([f"nothing listens at {shown}; is the head of the cluster running?"])
    if insecure:
        return
    check_token()
    if answers(address, RAY_AUTH_MODE="disabled"):
        problem = f"the cluster at {shown} asks for no token: anyone who reaches it can run anything there"
        raise ConfigError([f"{problem}; start it with RAY_AUTH_MODE=token (muzero-worker --head), or add --insecure"])
    if not answers(address, RAY_AUTH_MODE="token"):
        raise ConfigError([f"the cluster at {shown} does not accept the token; {TOKEN_HELP}"])


def answers(address: str, **environment: str) -> bool:
    """Whether a cluster's head answers a client with these environment variables."""
    command = [ray_command() or "ray", "health-check", "--address", address, "--skip-version-check"]
    return subprocess.run(command, env=os.environ | environment, capture_output=True, check=False).returncode == 0


def ray_command() -> str | None:
    """The command `ray` of this environment; None if it is not installed."""
    return shutil.which("ray", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
