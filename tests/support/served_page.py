"""A server of the page of muzero-serve in a thread."""

import threading
from contextlib import contextmanager
from typing import NamedTuple

from muzero.web.server import listening, prepared
from muzero.web.tables import Tables


class Served(NamedTuple):
    address: str  # with its token
    tables: Tables

    @property
    def origin(self):
        return self.address.partition("/?")[0]


@contextmanager
def served(player, title="zoo/tic_tac_toe"):
    tables, opened = Tables(player), listening(0)
    server, address = prepared(tables, title, opened)
    thread = threading.Thread(target=server.run, args=([opened],))
    thread.start()
    try:
        yield Served(address, tables)
    finally:
        server.should_exit = True
        thread.join()
        tables.close()
        opened.close()
