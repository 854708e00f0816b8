"""Requests and responses through a real hypercorn."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from support.server import NO_TLS, Server, serve

FILE = bytes(range(256)) * 4096


def test_the_application_runs_on_the_servers_kind_of_loop(server: Server) -> None:
    answer = httpx.get(server.url).json()
    assert answer["loop"] in {"uvloop", "asyncio"}
    assert (answer["loop"] == "uvloop") == ("uvloop" in server.process.args)  # type: ignore[operator]
    assert (answer["remote"], answer["server"]) == ("127.0.0.1", "127.0.0.1")


def test_blocking_views_do_not_delay_async_ones(server: Server) -> None:
    with httpx.Client(base_url=server.url, timeout=20) as client, ThreadPoolExecutor(1) as pool:
        held = pool.submit(httpx.get, f"{server.url}/held", timeout=20)
        client.get("/wait/held")
        assert client.get("/").status_code == 200
        client.post("/release")
        assert held.result().text == "released"


async def test_two_hundred_requests_at_once_are_answered(server: Server) -> None:
    async def ask(path: str) -> int:
        # A client for each, and so a connection: one client's pool takes ever longer to choose among many.
        async with httpx.AsyncClient(base_url=server.url, timeout=20, verify=NO_TLS) as client:
            return (await client.get(path)).status_code

    statuses = await asyncio.gather(*(ask("/sync" if number % 2 else "/") for number in range(200)))
    assert statuses == [200] * 200


def test_a_file_and_its_ranges_are_served(server: Server) -> None:
    whole = httpx.get(f"{server.url}/file")
    part = httpx.get(f"{server.url}/file", headers={"range": "bytes=1000-300000"})
    beyond = httpx.get(f"{server.url}/file", headers={"range": "bytes=99999999-"})
    known = httpx.get(f"{server.url}/file", headers={"if-modified-since": whole.headers["last-modified"]})
    head = httpx.head(f"{server.url}/file")
    assert whole.content == FILE
    assert (part.status_code, part.content) == (206, FILE[1000:300001])
    assert (beyond.status_code, known.status_code) == (416, 304)
    assert (head.headers["content-length"], head.content) == (str(len(FILE)), b"")


def test_an_absolute_target_is_understood(server: Server) -> None:
    request = b"GET http://example.org/sync HTTP/1.1\r\nhost: example.org\r\nconnection: close\r\n\r\n"
    assert server.exchange(request).endswith(b"\r\n\r\n/sync")


def test_http_1_0_is_understood(server: Server) -> None:
    answer = server.exchange(b"GET /sync HTTP/1.0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.endswith(b"/sync")


def test_a_websocket_handshake_is_refused_with_403(server: Server) -> None:
    answer = server.exchange(
        b"GET / HTTP/1.1\r\nhost: localhost\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
        b"sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    assert answer.startswith(b"HTTP/1.1 403")


def test_it_serves_on_a_unix_socket(tmp_path_factory: pytest.TempPathFactory) -> None:
    # A path below tmp_path may be longer than a socket's name may be.
    path = str(tmp_path_factory.mktemp("s") / "s")
    with serve("support.demo:asgi", bind=path):
        with httpx.Client(transport=httpx.HTTPTransport(uds=path), base_url="http://example.org") as client:
            answer = client.get("/").json()
        assert (answer["host"], answer["remote"], answer["server"]) == ("example.org", None, "localhost")


def test_it_serves_on_ipv6_below_a_root_path() -> None:
    with serve("support.demo:asgi", "--root-path", "/api", bind="::1") as server:
        answer = httpx.get(f"{server.url}/").json()
        assert (answer["remote"], answer["server"], answer["path"]) == ("::1", "::1", "/")
        assert httpx.get(f"{server.url}/api/sync").text == "/sync"
