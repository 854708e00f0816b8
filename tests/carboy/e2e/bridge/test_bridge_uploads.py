"""Request bodies through a real hypercorn."""

import hashlib
import json
from collections.abc import Iterator

import httpx
import pytest
from support.server import Server, read_to_end, serve

MEGABYTE = 1024 * 1024


def pieces(count: int) -> Iterator[bytes]:
    for number in range(count):
        yield bytes([number % 251]) * MEGABYTE


def test_a_chunked_body_arrives_whole(server: Server) -> None:
    request = b"POST /echo HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n"
    answer = server.exchange(request + b"3\r\none\r\n5\r\n, two\r\n0\r\n\r\n")
    assert answer.endswith(b"\r\n\r\none, two")


@pytest.mark.parametrize(
    "half",
    [
        b"POST /echo?cut HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\nhalf of it",
        b"POST /echo?cut HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhalf \r\n",
    ],
)
def test_a_body_cut_short_never_reaches_a_view(server: Server, half: bytes) -> None:
    httpx.post(f"{server.url}/echo", content=b"whole")
    before = httpx.get(f"{server.url}/wait/echo").text
    with server.connect() as connection:
        connection.sendall(half)
        # The client closes its side, and the server has done all that it will do once it has closed the other.
        connection.shutdown(1)
        assert b"half" not in read_to_end(connection)
    assert httpx.get(f"{server.url}/wait/echo").text == before


def test_a_large_upload_is_not_held_in_memory(server: Server) -> None:
    def upload(megabytes: int) -> None:
        answer = httpx.post(f"{server.url}/upload", content=pieces(megabytes), timeout=30).json()
        digest = hashlib.sha256(b"".join(pieces(megabytes))).hexdigest()
        assert answer == {"length": megabytes * MEGABYTE, "digest": digest}

    # What the server needs for any upload it has now; the peak of the large one then shows what grows with the size.
    upload(5)
    before = server.memory("VmHWM")
    upload(100)
    assert server.memory("VmHWM") - before < 8 * MEGABYTE


def test_a_form_with_a_file_is_parsed(server: Server) -> None:
    files = {"file": ("f.bin", b"x" * 2 * MEGABYTE)}
    answer = httpx.post(f"{server.url}/form", data={"name": "Ä"}, files=files)
    assert answer.json() == {"name": "Ä", "size": 2 * MEGABYTE}


def test_several_requests_share_a_connection_after_uploads(server: Server) -> None:
    with httpx.Client(base_url=server.url, limits=httpx.Limits(max_connections=1)) as client:
        for path in ("/echo", "/unread", "/upload"):
            answer = client.post(path, content=b"y" * MEGABYTE)
            assert answer.status_code == 200
            assert client.post("/echo", content=b"").content == b""
            assert client.get("/sync").text == "/sync"
            assert answer.extensions["network_stream"] is not None


def test_pipelined_requests_are_answered_in_turn(server: Server) -> None:
    one = b"POST /echo HTTP/1.1\r\nhost: localhost\r\ncontent-length: 3\r\n\r\none"
    two = b"POST /echo HTTP/1.1\r\nhost: localhost\r\ncontent-length: 3\r\nconnection: close\r\n\r\ntwo"
    answer = server.exchange(one + two)
    assert answer.count(b"HTTP/1.1 200") == 2
    assert answer.index(b"\r\n\r\none") < answer.index(b"\r\n\r\ntwo")


def test_a_body_over_the_limit_is_refused() -> None:
    with serve("support.demo:asgi", environment={"DEMO_LIMIT": "1000"}) as server:
        for content in (b"x" * 1001, iter([b"x" * 600] * 2)):
            assert httpx.post(f"{server.url}/echo", content=content).status_code == 413
        assert httpx.post(f"{server.url}/echo", content=b"x" * 1000).status_code == 200
        # Of ten gigabytes that are announced, not one byte is waited for.
        head = b"POST /echo HTTP/1.1\r\nhost: localhost\r\ncontent-length: 10000000000\r\n\r\n"
        assert server.exchange(head).startswith(b"HTTP/1.1 413")


def test_a_client_that_waits_for_100_continue_gets_it(server: Server) -> None:
    with server.connect() as connection:
        connection.sendall(
            b"POST /echo HTTP/1.1\r\nhost: localhost\r\ncontent-length: 4\r\nexpect: 100-continue\r\n"
            b"connection: close\r\n\r\n"
        )
        assert connection.recv(1000).startswith(b"HTTP/1.1 100")
        connection.sendall(b"body")
        assert read_to_end(connection).endswith(b"\r\n\r\nbody")


def test_the_index_is_json(server: Server) -> None:
    answer = server.exchange(b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["path"] == "/"
