"""Clients that speak HTTP/2 and leave in the middle of what they asked for leave nothing behind."""

import asyncio
import signal
import time
from pathlib import Path

import pytest
from support.asgi import eventually
from support.http2 import clients_with_streams, download, open_streams, tasks_of
from support.server import serve

CLIENTS = 24
GRACEFUL_SECONDS = 2


@pytest.fixture
def file(tmp_path: Path) -> dict[str, str]:
    path = tmp_path / "file.bin"
    path.write_bytes(bytes(2_000_000))
    return {"DEMO_FILE": str(path)}


@pytest.mark.parametrize("path", ["/file", "/whole", "/stream/async?chunks=32", "/stream/sync?chunks=32"])
async def test_a_client_that_reads_gets_the_whole_of_a_large_answer(path: str, tmp_path: Path) -> None:
    content = b"x" * 65536 * 32
    (tmp_path / "file.bin").write_bytes(content)
    with serve("support.demo:asgi", worker="uvloop", environment={"DEMO_FILE": str(tmp_path / "file.bin")}) as server:
        assert await download(server, path) == content


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
        status = await asyncio.to_thread(server.process.wait, 20)
        assert time.monotonic() - begun < GRACEFUL_SECONDS + 5
        # hypercorn fails over a stream that it has cut off itself, and says so, once the application has stopped.
        assert status == (0 if has_left else 1)
        if stayed is not None:
            stayed.close()
