"""Clients that speak HTTP/2 and leave in the middle of what they asked for leave nothing behind."""

import asyncio
import signal
import time
from pathlib import Path

import pytest
from support.asgi import eventually
from support.http2 import clients_with_streams, open_streams
from support.server import Server, serve

CLIENTS = 24
GRACEFUL_SECONDS = 2


def tasks_of(server: Server) -> int:
    answer = server.exchange(b"GET /tasks HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
    return int(answer.rpartition(b"\r\n\r\n")[2])


@pytest.fixture
def file(tmp_path: Path) -> dict[str, str]:
    path = tmp_path / "file.bin"
    path.write_bytes(bytes(2_000_000))
    return {"DEMO_FILE": str(path)}


async def test_clients_that_leave_open_streams_leave_no_task_and_no_descriptor(file: dict[str, str]) -> None:
    with serve("support.demo:asgi", worker="uvloop", environment=file) as server:
        async with clients_with_streams(server, 1):
            pass
        await eventually(lambda: tasks_of(server) < 10)
        tasks, descriptors = tasks_of(server), server.descriptors()
        async with clients_with_streams(server, CLIENTS):
            assert tasks_of(server) > tasks + CLIENTS
        await eventually(lambda: tasks_of(server) <= tasks)
        await eventually(lambda: server.descriptors() <= descriptors + 1)


@pytest.mark.parametrize("has_left", [True, False], ids=["that have left", "that stay"])
async def test_http2_clients_do_not_hold_up_the_end(has_left: bool, file: dict[str, str]) -> None:  # noqa: FBT001
    arguments = ("--graceful-timeout", str(GRACEFUL_SECONDS))
    with serve("support.demo:asgi", *arguments, worker="uvloop", environment=file) as server:
        if has_left:
            async with clients_with_streams(server, CLIENTS):
                pass
        stayed = None if has_left else await open_streams(server)
        begun = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(server.process.wait, 20) == 0
        assert time.monotonic() - begun < GRACEFUL_SECONDS + 5
        if stayed is not None:
            stayed.close()
