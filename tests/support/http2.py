"""Clients that speak HTTP/2 in clear text, open streams, and leave without reading what they are sent."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import h2.config
import h2.connection
import h2.events
from support.server import Server

TOO_LONG = str(2**40)
ANSWERS = [
    ("GET", "/whole"),
    ("GET", "/file"),
    ("GET", "/stream/async?chunks=100"),
    ("GET", "/stream/sync?chunks=100"),
    ("POST", "/unread"),
]
"""What a client asks for at once: each is more than HTTP/2's window of 65,535 bytes, but the last, which is refused."""


def tasks_of(server: Server) -> int:
    """Return how many tasks the event loop of the demo application has."""
    answer = server.exchange(b"GET /tasks HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
    return int(answer.rpartition(b"\r\n\r\n")[2])


async def download(server: Server, path: str) -> bytes:
    """Read an answer to its end, opening the window for more whenever it has been used up."""
    assert isinstance(server.address, tuple)
    reader, writer = await asyncio.open_connection(*server.address)
    connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
    connection.initiate_connection()
    connection.send_headers(
        1, [(":method", "GET"), (":path", path), (":authority", "a"), (":scheme", "http")], end_stream=True
    )
    body, has_ended = bytearray(), False
    while not has_ended:
        writer.write(connection.data_to_send())
        data = await reader.read(65536)
        assert data, "The server closes the connection"
        for event in connection.receive_data(data):
            if isinstance(event, h2.events.DataReceived):
                body += event.data
                connection.acknowledge_received_data(event.flow_controlled_length, 1)
            has_ended = has_ended or isinstance(event, h2.events.StreamEnded)
    writer.close()
    return bytes(body)


async def open_streams(server: Server) -> asyncio.StreamWriter:
    """Open a stream for each of `ANSWERS`, and wait until all have begun to be answered."""
    assert isinstance(server.address, tuple)
    host, port = server.address
    reader, writer = await asyncio.open_connection(host, port)
    connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
    connection.initiate_connection()
    for number, (method, path) in enumerate(ANSWERS):
        headers = [(":method", method), (":path", path), (":authority", "a"), (":scheme", "http")]
        if method == "POST":
            headers.append(("content-length", TOO_LONG))
        connection.send_headers(2 * number + 1, headers, end_stream=method == "GET")
    writer.write(connection.data_to_send())
    answered = 0
    while answered < len(ANSWERS):
        data = await reader.read(65536)
        assert data, "The server closes the connection"
        answered += sum(isinstance(event, h2.events.ResponseReceived) for event in connection.receive_data(data))
        writer.write(connection.data_to_send())
    return writer


@asynccontextmanager
async def clients_with_streams(server: Server, count: int, at_once: int = 40) -> AsyncIterator[None]:
    """Open streams for so many clients, not all of them at the same moment; they leave in the end."""
    turn = asyncio.Semaphore(at_once)
    opened: list[asyncio.StreamWriter] = []

    async def one() -> None:
        async with turn:
            opened.append(await open_streams(server))

    try:
        async with asyncio.timeout(300), asyncio.TaskGroup() as tasks:
            for _ in range(count):
                tasks.create_task(one())
        yield
    finally:
        for number, writer in enumerate(opened):
            # Some say that they go, as browsers do, others are cut off.
            if number % 2:
                writer.transport.abort()
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
