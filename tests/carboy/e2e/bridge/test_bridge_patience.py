"""A client that waits is never taken for one that has left, whatever server is in front."""

import asyncio
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import httpx
from support.carboy_server import GRANIAN, HYPERCORN, UVICORN, serve
from support.server import NO_TLS, TESTS

SECONDS = 18
"""Longer than any server or setting of ours waits for a client that owes it something."""
FILE_BYTES = 40_000_000
SERVERS = {HYPERCORN: ["HTTP/1.1", "HTTP/2"], UVICORN: ["HTTP/1.1"], GRANIAN: ["HTTP/1.1", "HTTP/2"]}


def of_demo(command: Sequence[str]) -> tuple[str, ...]:
    return (*command[:-1], "support.demo:asgi")


async def test_long_answers_arrive_whole(tmp_path: Path) -> None:
    file = tmp_path / "file.bin"
    file.write_bytes(bytes(FILE_BYTES))
    environment = {"PYTHONPATH": str(TESTS), "DEMO_FILE": str(file)}
    # All servers at once, as nothing but waiting takes the time.
    with ExitStack() as stack:
        urls = {command[0]: stack.enter_context(serve(of_demo(command), environment)).url for command in SERVERS}
        async with asyncio.TaskGroup() as tasks:
            for command, versions in SERVERS.items():
                for version in versions:
                    tasks.create_task(see_long_answers(command[0], urls[command[0]], version))


async def see_long_answers(name: str, url: str, version: str) -> None:
    async with (
        httpx.AsyncClient(
            base_url=url,
            http1=version == "HTTP/1.1",
            http2=version == "HTTP/2",
            timeout=SECONDS * 2,
            trust_env=False,
            verify=NO_TLS,
        ) as client,
        asyncio.TaskGroup() as tasks,
    ):
        poll = tasks.create_task(client.get("/slow", params={"seconds": SECONDS}))
        silent = tasks.create_task(client.get("/stream/pausing", params={"chunks": 1, "seconds": SECONDS}))
        ticking = tasks.create_task(client.get("/stream/pausing", params={"chunks": SECONDS, "seconds": 1}))
        size = tasks.create_task(download_slowly(client))
    assert {answer.result().http_version for answer in (poll, silent, ticking)} == {version}, name
    texts = [answer.result().text for answer in (poll, silent, ticking)]
    assert texts == ["done", "xend", "x" * SECONDS + "end"], name
    assert size.result() == FILE_BYTES, name


async def download_slowly(client: httpx.AsyncClient) -> int:
    """Take a file no faster than a slow line would carry it, and return how many bytes came."""
    begun = asyncio.get_running_loop().time()
    size = 0
    async with client.stream("GET", "/file") as answer:
        async for chunk in answer.aiter_raw():
            size += len(chunk)
            due = begun + SECONDS * size / FILE_BYTES
            await asyncio.sleep(due - asyncio.get_running_loop().time())
    return size
