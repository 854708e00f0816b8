"""Clients that send the next requests before they have the answer to the first, and leave, leave nothing behind."""

import asyncio
import time
from pathlib import Path

import pytest
from support.asgi import eventually
from support.http2 import tasks_of
from support.server import Server, serve

CLIENTS = 12
REQUEST = "GET {} HTTP/1.1\r\nhost: a\r\n{}\r\n"
LARGE = ["/file", "/whole", "/stream/async?chunks=100", "/stream/sync?chunks=100"]


@pytest.fixture
def file(tmp_path: Path) -> dict[str, str]:
    path = tmp_path / "file.bin"
    # More than the sockets of both sides hold.
    path.write_bytes(bytes(20_000_000))
    return {"DEMO_FILE": str(path)}


async def pipeline(server: Server, path: str) -> asyncio.StreamWriter:
    """Send four requests at once, and wait until the first has begun to be answered."""
    assert isinstance(server.address, tuple)
    reader, writer = await asyncio.open_connection(*server.address)
    writer.write(REQUEST.format(path, "").encode() * 4)
    await reader.readexactly(1000)
    return writer


async def leave_pipelines(server: Server, path: str) -> None:
    for number, writer in enumerate(await asyncio.gather(*(pipeline(server, path) for _ in range(CLIENTS)))):
        if number % 2:
            writer.transport.abort()
        writer.close()


@pytest.mark.parametrize("path", LARGE)
async def test_a_client_that_leaves_its_pipeline_leaves_no_task(path: str, file: dict[str, str]) -> None:
    with serve("support.demo:asgi", "--keep-alive", "1", worker="uvloop", environment=file) as server:
        tasks = tasks_of(server)
        await leave_pipelines(server, path)
        await eventually(lambda: tasks_of(server) <= tasks)


async def test_clients_that_have_left_their_pipelines_do_not_hold_up_the_end(file: dict[str, str]) -> None:
    arguments = ("--graceful-timeout", "15")
    with serve("support.demo:asgi", *arguments, worker="uvloop", environment=file) as server:
        await leave_pipelines(server, "/file")
        begun = time.monotonic()
        assert await asyncio.to_thread(server.stop) == 0
        assert time.monotonic() - begun < 10


@pytest.mark.parametrize("path", ["/whole", "/stream/async?chunks=32"])
async def test_pipelined_requests_are_answered_one_after_the_other(path: str) -> None:
    with serve("support.demo:asgi", worker="uvloop") as server:
        requests = REQUEST.format(path, "") * 3 + REQUEST.format("/sync", "connection: close\r\n")
        answer = await asyncio.to_thread(server.exchange, requests.encode())
        assert answer.count(b"HTTP/1.1 200") == 4
        assert answer.count(b"x") >= 3 * 65536 * 32
        assert answer.endswith(b"/sync")
