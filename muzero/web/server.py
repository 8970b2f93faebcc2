"""The server: on 127.0.0.1 alone."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable

import uvicorn

from muzero.interfaces import NonFiniteError
from muzero.web.app import application
from muzero.web.guard import Guard, Refusal
from muzero.web.tables import Tables

HOST = "127.0.0.1"
CONNECTIONS = 64  # at most at the same time


def listening(port: int) -> socket.socket:
    """A socket on 127.0.0.1.

    Args:
        port: 0 for any that is free.

    Raises:
        OSError: if the port is not free; says what to do.
    """
    # Only where TCP is named does asyncio send at once: an answer in two parts would wait 40 ms for the browser.
    opened = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind((HOST, port))
    except OSError as error:
        opened.close()
        raise OSError(
            f"port {port} of {HOST} cannot be used ({error.strerror}); give another one, or leave --port out"
        ) from error
    return opened


def serve(tables: Tables, title: str, port: int, say: Callable[[str], None]) -> None:
    """Serve until Ctrl-C.

    Args:
        tables: the games.
        title: of the page.
        port: 0 for any that is free.
        say: takes the address once it can be opened.

    Raises:
        OSError: if the port is not free.
    """
    opened = listening(port)
    server, address = prepared(tables, title, opened)
    say(address)
    threading.Thread(target=warm, args=(tables,), daemon=True).start()
    try:
        server.run([opened])
    except KeyboardInterrupt:  # how uvicorn passes Ctrl-C on, after it has ended all connections
        pass
    finally:
        tables.close()
        opened.close()


def prepared(tables: Tables, title: str, opened: socket.socket) -> tuple[uvicorn.Server, str]:
    """The server of an open socket, and the address that leads to its page; from now on connections wait for it."""
    port = opened.getsockname()[1]
    guard = Guard(application(tables, title), port)
    settings = uvicorn.Config(
        guard,
        http="h11",
        ws="none",
        lifespan="off",
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=CONNECTIONS,
        timeout_graceful_shutdown=1,
    )
    opened.listen(128)
    return uvicorn.Server(settings), f"http://{HOST}:{port}/?token={guard.token}"


def warm(tables: Tables) -> None:
    """Search once, while the user opens the page: the first search also prepares the network."""
    try:
        name = tables.begin([], tables.player, 0, None)
        tables.get(name).think(tables.get(name).revision)
        tables.end(name)
    except (Refusal, NonFiniteError, ValueError, OSError):
        return  # it is reported where it is asked for
