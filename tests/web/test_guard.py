"""Who may use the page: nobody without the token, no other site, and nothing that is too large."""

import socket

import httpx
import pytest

from muzero.web.guard import LARGEST_BODY

PATHS = [
    "/",
    "/?token=",
    "/?token=wrong",
    "/static/app.js",
    "/static/icon.svg",
    "/api/about",
    "/api/tables",
    "/nothing",
]


@pytest.fixture(scope="module")
def stranger(page):
    with httpx.Client(base_url=page.origin, trust_env=False) as found:
        yield found


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "POST", "HEAD", "OPTIONS", "DELETE"])
def test_without_the_token_every_request_is_refused(stranger, method, path):
    answer = stranger.request(method, path, headers={"cookie": "muzero-1=x; other=y; ;;=,"})
    assert answer.status_code == 403 and not stranger.cookies
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    if method == "GET":
        assert "open the address that muzero-serve printed" in answer.json()["error"]


def test_a_token_opens_nothing_but_the_page(page, stranger):
    token = page.address.partition("token=")[2]
    assert stranger.get("/api/about", params={"token": token}).status_code == 403
    assert stranger.get(f"/?token={token}&token={token}").status_code == 403
    assert stranger.post(f"/?token={token}").status_code == 403


def test_the_address_sets_a_cookie_that_scripts_and_other_sites_do_not_have(page):
    answer = httpx.get(page.address, trust_env=False)
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=Strict" in cookie and "Path=/" in cookie
    assert page.address.partition("token=")[2] not in cookie + answer.text
    assert answer.headers["referrer-policy"] == "no-referrer" and answer.headers["cache-control"] == "no-store"
    policy = answer.headers["content-security-policy"]
    assert "unsafe" not in policy and "script-src 'self';" in policy and "frame-ancestors 'none'" in policy


@pytest.mark.parametrize("host", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "localhost", ""])
def test_other_names_of_the_host_are_refused(client, page, host):
    port = page.origin.rpartition(":")[2]
    assert client.get("/api/about", headers={"host": host.format(port=port)}).status_code == 403
    assert client.get(page.address, headers={"host": host.format(port=port)}).status_code == 403
    assert client.get("/api/about").status_code == 200


def test_two_names_of_the_host_are_refused(page):
    host, port = page.origin.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        text = f"GET / HTTP/1.1\r\nHost: {host}:{port}\r\nHost: evil.example\r\nConnection: close\r\n\r\n"
        connection.sendall(text.encode())
        assert connection.makefile("rb").readline().split()[1] in (b"400", b"403")


@pytest.mark.parametrize(
    "headers",
    [{"origin": "http://evil.example"}, {"origin": "null"}, {"origin": "http://127.0.0.1:1"},
     {"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}],
)  # fmt: skip
def test_requests_that_other_sites_make_are_refused(client, headers):
    assert client.post("/api/tables", json={"people": [0]}, headers=headers).status_code == 403
    assert client.get("/api/about", headers=headers).status_code == 403


def test_what_is_too_large_or_not_json_is_refused(client, page):
    def post(content, kind="application/json"):
        return client.post("/api/tables", content=content, headers={"content-type": kind}).status_code

    assert post(b" " * LARGEST_BODY) == 400
    assert post(b" " * (LARGEST_BODY + 1)) == 413
    assert post(b" " * 1000 for _ in range(50)) == 413  # without a length
    assert post(b"{}", "text/plain") == 415
    for text in (b"[" * 4000, b"[]", b"1", b"{", b"\xff", b'{"people": 1}', b'{"people": [7]}', b'{"people": [true]}',
                 b'{"simulations": 1e3}', b'{"simulations": -1}', b'{"simulations": 99999999}', b'{"seed": "<b>"}',
                 b'{"seed": 1' + b"0" * 4000 + b"}"):  # fmt: skip
        assert post(text) == 400, text
    assert client.get("/api/about").status_code == 200
    assert not page.tables.get(client.post("/api/tables", json={}).json()["table"]).people


@pytest.mark.parametrize("path", ["/static/../app.py", "/static/%2e%2e/app.py", "/static/%2e%2e%2fapp.py", "/static/",
                                  "/static/__init__.py", "/api/tables/x", "/api/tables/x/frame", "/.git"])  # fmt: skip
def test_nothing_else_is_served(client, path):
    assert client.get(path).status_code == 404
