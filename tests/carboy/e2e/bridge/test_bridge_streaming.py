"""Streams through a real hypercorn, and clients that leave them."""

from collections.abc import Iterator
from uuid import uuid4

import httpx
import pytest
from support.server import Server
from support.sizes import size

MEGABYTE = 1024 * 1024
CHUNKS = 16


def read_stream(server: Server, target: str) -> int:
    with httpx.stream("GET", f"{server.url}/stream/{target}", timeout=30) as answer:
        return sum(len(data) for data in answer.iter_raw())


@pytest.fixture
def client(server: Server) -> Iterator[httpx.Client]:
    # One connection for all questions: hypercorn holds one that its client has closed until its keep-alive is over.
    with httpx.Client(base_url=server.url, timeout=20) as client:
        yield client


def events(client: httpx.Client, event: str) -> int:
    """Wait until an event has happened, and return how often it has."""
    return int(client.get(f"/wait/{event}").text)


def any_name(kind: str) -> str:
    """Name a stream apart from all others, so that its events can be told from theirs."""
    return f"{kind}-{uuid4()}"


def leave_stream(server: Server, kind: str, name: str) -> None:
    """Ask for a stream without end and leave once its first chunk is here."""
    head = f"GET /stream/{kind}?chunks=1000000&name={name} HTTP/1.1\r\nhost: localhost\r\n\r\n"
    with server.connect() as connection:
        connection.sendall(head.encode())
        received = b""
        while b"x" not in received.partition(b"\r\n\r\n")[2]:
            data = connection.recv(65536)
            assert data
            received += data


@pytest.mark.parametrize("kind", ["sync", "async", "context"])
def test_a_stream_arrives_whole_and_ends_once(server: Server, client: httpx.Client, kind: str) -> None:
    name = any_name(kind)
    assert read_stream(server, f"{kind}?name={name}&chunks={CHUNKS}") == CHUNKS * 65536
    assert (events(client, f"teardown {name}"), events(client, f"end {name}")) == (1, 1)


@pytest.mark.parametrize(("kind", "megabytes"), [("async", size(256, 1024)), ("sync", size(128, 256))])
def test_a_long_stream_is_sent_without_holding_it(server: Server, kind: str, megabytes: int) -> None:
    read_stream(server, f"{kind}?chunks=200")
    before = server.memory("VmHWM")
    # Raw sockets take a gigabyte in a second or two, where an HTTP client would take many.
    with server.connect() as connection:
        head = f"GET /stream/{kind}?chunks={megabytes * 16} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
        connection.sendall(head.encode())
        buffer, received = bytearray(MEGABYTE), 0
        while count := connection.recv_into(buffer):
            received += count
    assert received > megabytes * MEGABYTE
    assert server.memory("VmHWM") - before < 8 * MEGABYTE


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_client_that_does_not_read_holds_the_generator_back(server: Server, client: httpx.Client, kind: str) -> None:
    before = server.memory("VmRSS")
    with server.connect() as connection:
        name = any_name(kind)
        head = f"GET /stream/{kind}?chunks=100000&name={name} HTTP/1.1\r\nhost: localhost\r\n\r\n"
        connection.sendall(head.encode())
        assert connection.recv(1000)
        # Others are served while this one reads nothing, and nothing piles up for it meanwhile.
        for _ in range(100):
            assert client.get("/sync").text == "/sync"
        assert server.memory("VmRSS") - before < 16 * MEGABYTE
    assert events(client, f"end {name}") == 1


@pytest.mark.parametrize("kind", ["sync", "async", "context", "waiting", "waiting-context"])
def test_a_client_that_leaves_ends_the_stream_and_runs_teardown(
    server: Server, client: httpx.Client, kind: str
) -> None:
    name = any_name(kind)
    leave_stream(server, kind, name)
    # Teardown is the last to happen: how often the rest has happened is then known.
    assert (events(client, f"teardown {name}"), events(client, f"end {name}")) == (1, 1)


def test_a_client_that_leaves_before_the_first_chunk_ends_the_stream(server: Server, client: httpx.Client) -> None:
    name = any_name("silent")
    with server.connect() as connection:
        head = f"GET /stream/silent?chunks=0&name={name} HTTP/1.1\r\nhost: localhost\r\n\r\n"
        connection.sendall(head.encode())
        assert events(client, f"begin {name}") == 1
    assert (events(client, f"teardown {name}"), events(client, f"end {name}")) == (1, 1)


def test_streams_that_are_left_keep_no_descriptors(server: Server, client: httpx.Client) -> None:
    def visit() -> None:
        name = any_name("async")
        leave_stream(server, "async", name)
        events(client, f"teardown {name}")

    visit()
    before = server.descriptors()
    for _ in range(30):
        visit()
    # A connection of the last visits may not have been closed yet.
    assert server.descriptors() <= before + 5
