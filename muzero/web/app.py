"""The application: which address leads to what."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from muzero.interactive.strength import Set
from muzero.interfaces import EnvironmentFault, NonFiniteError
from muzero.util.text import printable
from muzero.web.guard import Refusal
from muzero.web.table import Table
from muzero.web.tables import Tables
from muzero.web.words import MEANINGS

STATIC = Path(__file__).parent / "static"
TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
FILES = {path.name: (path.read_bytes(), TYPES[path.suffix]) for path in STATIC.iterdir() if path.suffix in TYPES}
LARGEST = 2**53 - 1  # the largest whole number that a browser knows exactly

LONGEST = 300  # characters of a line of text
Body = Mapping[str, Any]


class Answer(JSONResponse):
    """An answer in JSON whose texts, which can come from a run or a game, have no marks that turn the text around."""

    def render(self, content: Any) -> bytes:
        return super().render(harmless(content))


def harmless(value: Any) -> Any:
    """A value of JSON with texts of moderate length and without control characters; lines stay lines."""
    if isinstance(value, str):
        return "\n".join(printable(line, LONGEST) for line in value.split("\n"))
    if isinstance(value, Mapping):
        return {key: harmless(each) for key, each in value.items()}
    return [harmless(each) for each in value] if isinstance(value, (list, tuple)) else value


def application(tables: Tables, title: str) -> Starlette:
    """The application, to be put behind a `Guard`.

    Args:
        tables: its games.
        title: what the agent is called: "zoo/connect_four".
    """
    agent = tables.agent
    about = {
        "title": printable(title, 200),
        "game": agent.spec.name,
        "step": agent.step,
        "trained": tables.trained,
        "start": tables.player.words,
        "strengths": tables.strengths,
        "most": tables.most,
        "twoPlayer": agent.spec.two_player,
        "playable": bool(agent.spec.actions.columns),
        "columns": dict(MEANINGS),
    }

    def begin(request: Request, body: Body) -> Any:
        seed = whole(body, "seed", None)
        name = tables.begin(
            seats(body),
            strength(body),
            secrets.randbelow(2**31) if seed is None else seed,
            body.get("replaces") if isinstance(body.get("replaces"), str) else None,
        )
        return shown(name)

    def shown(name: str) -> dict[str, Any]:
        return {"table": name, **tables.get(name).state()}

    def on_table(change: Callable[[Table, Body], None]) -> Callable[[Request, Body], Any]:
        def changed(request: Request, body: Body) -> Any:
            name = request.path_params["table"]
            change(tables.get(name), body)
            return shown(name)

        return changed

    def strength(body: Body) -> Set:
        name = body.get("strength")
        if name is not None and not isinstance(name, str):
            raise Refusal(400, "strength: expected a name")
        return tables.strong(name, whole(body, "simulations", None))

    def seat(table: Table, body: Body) -> None:
        people = seats(body)
        tables.check(people)
        table.seat(people, strength(body))

    def move(table: Table, body: Body) -> None:
        action = whole(body, "action", None)
        if action is None:
            table.move(required(body))
        else:
            table.play(required(body), action)

    def position(request: Request) -> Any:
        return tables.get(request.path_params["table"]).position(request.path_params["ply"])

    def node(request: Request) -> Any:
        at = request.path_params
        return tables.get(at["table"]).node(at["ply"], at["node"])

    def frame(request: Request) -> Response:
        return Response(tables.get(request.path_params["table"]).picture(), media_type="image/png")

    one = "/api/tables/{table}"
    routes = [
        Route("/", lambda request: static("index.html")),
        Route("/static/{file}", lambda request: static(request.path_params["file"])),
        Route("/api/about", lambda request: Answer(about)),
        Route("/api/tables", posting(begin), methods=["POST"]),
        Route(one, reading(lambda request: shown(request.path_params["table"]))),
        Route(f"{one}/seats", posting(on_table(seat)), methods=["POST"]),
        Route(f"{one}/moves", posting(on_table(move)), methods=["POST"]),
        Route(f"{one}/back", posting(on_table(lambda table, body: table.take_back(required(body)))), methods=["POST"]),
        Route(f"{one}/thoughts", posting(on_table(lambda table, body: table.think(required(body)))), methods=["POST"]),
        Route(f"{one}/positions/{{ply:int}}", reading(position)),
        Route(f"{one}/positions/{{ply:int}}/nodes/{{node:int}}", reading(node)),
        Route(f"{one}/frame", frame),
    ]
    handlers: dict[Any, Any] = {
        Refusal: lambda request, refusal: problem(refusal.status, refusal.words),
        HTTPException: lambda request, error: problem(error.status_code, "there is nothing at this address"),
        NonFiniteError: lambda request, error: problem(500, f"the agent cannot think here: {error}"),
        EnvironmentFault: lambda request, error: problem(500, f"the environment failed: {error}"),
    }
    return Starlette(routes=routes, exception_handlers=handlers)


def problem(status: int, words: str) -> Response:
    """An answer that says in words what is wrong."""
    return Answer({"error": printable(words, 500)}, status)


def static(name: str) -> Response:
    """One of the page's own files."""
    if name not in FILES:
        raise Refusal(404, "there is nothing at this address")
    content, kind = FILES[name]
    return Response(content, media_type=kind)


def reading(answer: Callable[[Request], Any]) -> Callable[[Request], Response]:
    """An endpoint that answers in JSON; Starlette runs it in a thread."""

    def endpoint(request: Request) -> Response:
        return Answer(answer(request))

    return endpoint


def posting(change: Callable[[Request, Body], Any]) -> Callable[[Request], Any]:
    """An endpoint that takes and answers JSON; what it changes is done in a thread, since it may search."""

    async def endpoint(request: Request) -> Response:
        body = parsed(request.headers.get("content-type", ""), await request.body())
        return Answer(await run_in_threadpool(change, request, body))

    return endpoint


def parsed(kind: str, text: bytes) -> Body:
    """The object that a request holds."""
    if kind.partition(";")[0].strip() != "application/json":  # which a form of another site cannot send
        raise Refusal(415, "the request is not JSON")
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        raise Refusal(400, "the request is not JSON") from None
    if not isinstance(body, dict):
        raise Refusal(400, "the request is not an object")
    return body


def whole(body: Body, name: str, default: int | None) -> int | None:
    """A whole number of a request, which may be missing."""
    given = body.get(name, default)
    if given is not None and (type(given) is not int or not 0 <= given <= LARGEST):
        raise Refusal(400, f"{name}: expected a whole number from 0")
    return given


def required(body: Body) -> int:
    """The revision that a request means."""
    revision = whole(body, "revision", None)
    if revision is None:
        raise Refusal(400, "revision: it is missing")
    return revision


def seats(body: Body) -> list[int]:
    """The seats of people."""
    given = body.get("people", [])
    if not isinstance(given, list) or any(type(seat) is not int or seat not in (0, 1) for seat in given):
        raise Refusal(400, "people: expected a list of 0 and 1")
    return given
