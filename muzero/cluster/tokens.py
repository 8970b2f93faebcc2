"""The token of a cluster: made, found, checked."""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

from muzero.config import ConfigError

TOKEN_HELP = "put the cluster's token into ~/.ray/auth_token (mode 0600), or name its file in RAY_AUTH_TOKEN_PATH"


def write_token(path: Path) -> Path:
    """A new token that only its owner can read."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(secrets.token_hex(32))
    return path


def ensure_token() -> Path | None:
    """A token where Ray looks for one; where it lies, if it is new."""
    path = token_file()
    if os.environ.get("RAY_AUTH_TOKEN") or path.exists():
        return None
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return write_token(path)


def forget_token() -> None:
    """Have Ray read token and mode anew: it keeps those of the first session of a process."""
    from ray._raylet import AuthenticationTokenLoader, Config  # type: ignore[attr-defined]

    Config.initialize("")  # first: threads that still end must not ask for a token that is gone
    AuthenticationTokenLoader.instance().reset_cache()


def token_file() -> Path:
    """Where Ray looks for the token of a cluster."""
    return Path(os.environ.get("RAY_AUTH_TOKEN_PATH", "~/.ray/auth_token")).expanduser()


def check_token() -> None:
    """Refuse to go without a token that is a secret.

    Raises:
        ConfigError: saying where it is looked for.
    """
    if os.environ.get("RAY_AUTH_TOKEN"):
        return
    path = token_file()
    try:
        found = path.stat()
    except OSError as error:
        raise ConfigError([f"no token for the cluster: {path}: {error.strerror}; {TOKEN_HELP}"]) from error
    if stat.S_IMODE(found.st_mode) & 0o077:
        raise ConfigError([f"{path} can be read by others (mode {stat.S_IMODE(found.st_mode):04o}): chmod 600 {path}"])
