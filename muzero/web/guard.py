"""Who may use the page: the user who started the server, from a browser on the same machine, alone."""

from __future__ import annotations

import hmac
import json
import secrets
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LARGEST_BODY = 4096  # bytes; what the page sends is a few dozen
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
ENTRY = "open the address that muzero-serve printed when it started; it holds the key to this page"


class Refusal(Exception):
    """A request that is not granted, with the HTTP status and the reason in words."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status, self.words = status, words


class Guard:
    """Stands before the application: every request is checked here first.

    The address that the user opens holds a random token.  The page that it leads to sets a cookie, and every other
    request needs that cookie.  The name of the host is checked, since by a name of its own that leads to 127.0.0.1 a
    foreign site could pass for this one (DNS rebinding); and so is the origin, since to a browser all ports of a host
    are the same site.
    """

    def __init__(self, app: ASGIApp, port: int) -> None:
        """port: where the server listens."""
        self._app, self.token = app, secrets.token_urlsafe(32)
        self._key = secrets.token_urlsafe(32)
        self._cookie = f"muzero-{port}"  # browsers share cookies between the ports of a host
        self._hosts = [f"127.0.0.1:{port}".encode(), f"localhost:{port}".encode()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError(f"a connection of type {scope['type']}: the page needs none")
        enters = False

        async def send_checked(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
                if enters:
                    headers["set-cookie"] = f"{self._cookie}={self._key}; Path=/; HttpOnly; SameSite=Strict"
            await send(message)

        try:
            enters = self._admit(scope)
            body = await read(scope, receive)
        except Refusal as refusal:
            await refuse(refusal, send_checked)
            return

        waiting = [body]

        async def receive_read() -> Message:
            if waiting:
                return {"type": "http.request", "body": waiting.pop(), "more_body": False}
            return await receive()

        await self._app(scope, receive_read, send_checked)

    def _admit(self, scope: Scope) -> bool:
        """Whether a request enters by the token; Refusal if it has neither the token nor the cookie."""
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        named = {name: [value for each, value in headers if each == name] for name, _ in headers}
        host = named.get(b"host", [])
        if len(host) != 1 or host[0] not in self._hosts:
            raise Refusal(403, f"this is not the host of the page; {ENTRY}")
        entry = scope["path"] == "/" and scope["method"] == "GET"
        if entry and self._has_token(scope["query_string"]):
            return True
        if not self._has_cookie(named.get(b"cookie", [])):
            raise Refusal(403, ENTRY)
        foreign = any(origin != b"http://" + host[0] for origin in named.get(b"origin", []))
        sites = named.get(b"sec-fetch-site", [])
        if foreign or (not entry and any(site not in (b"same-origin", b"none") for site in sites)):
            raise Refusal(403, f"another site asks for this; {ENTRY}")
        return False

    def _has_token(self, query: bytes) -> bool:
        given = parse_qs(query.decode("latin-1")).get("token", [])
        return len(given) == 1 and hmac.compare_digest(given[0].encode(), self.token.encode())

    def _has_cookie(self, lines: list[bytes]) -> bool:
        for line in lines:
            try:
                given = SimpleCookie(line.decode("latin-1")).get(self._cookie)
            except CookieError:
                continue
            if given is not None and hmac.compare_digest(given.value.encode(), self._key.encode()):
                return True
        return False


async def read(scope: Scope, receive: Receive) -> bytes:
    """The body of a request; Refusal if it is too large."""
    length = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
    body, more = b"", True
    if not length.isdigit() or len(length) > 9 or int(length) > LARGEST_BODY:
        raise Refusal(413, f"a request of more than {LARGEST_BODY:,} bytes")
    while more:
        message = await receive()
        if message["type"] != "http.request":
            raise Refusal(400, "the request broke off")
        body, more = body + message.get("body", b""), message.get("more_body", False)
        if len(body) > LARGEST_BODY:
            raise Refusal(413, f"a request of more than {LARGEST_BODY:,} bytes")
    return body


async def refuse(refusal: Refusal, send: Send) -> None:
    """Answer with the reason, as JSON, which the page shows in words."""
    body = json.dumps({"error": refusal.words}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
