"""Waves of HTTP/2 clients that open streams of large answers, read none of them and leave."""

from pathlib import Path

import pytest
from support.asgi import eventually
from support.figures import Keep
from support.http2 import clients_with_streams, tasks_of
from support.server import serve

MEGABYTE = 1_000_000
WAVES = 5
CLIENTS = 200
MOST_OF_A_CLIENT = 4 * MEGABYTE
"""Its answer of 2 MB, which the view has made whole, and twice a slice of 64 KiB for each of its four large streams."""


# As docs/operations.md says; without it, what is free is not given back, which hides what grows.
GIVES_MEMORY_BACK = {"MALLOC_MMAP_THRESHOLD_": "65536"}


@pytest.mark.timeout(300)
async def test_memory_does_not_grow_from_wave_to_wave(tmp_path: Path, keep: Keep) -> None:
    file = tmp_path / "file.bin"
    file.write_bytes(bytes(2 * MEGABYTE))
    environment = {"DEMO_FILE": str(file)} | GIVES_MEMORY_BACK
    with serve("support.demo:asgi", worker="uvloop", environment=environment) as server:
        tasks, before, after = tasks_of(server), server.memory("VmRSS"), []
        for _ in range(WAVES):
            async with clients_with_streams(server, CLIENTS):
                assert tasks_of(server) > tasks + CLIENTS
            await eventually(lambda: tasks_of(server) <= tasks)
            after.append(server.memory("VmRSS"))
        peak = server.memory("VmHWM")
    figures = ", ".join(f"{each / MEGABYTE:.0f}" for each in after)
    keep(
        f"{before / MEGABYTE:.0f} MB, after each wave of {CLIENTS} {figures}, at most {peak / MEGABYTE:.0f} MB",
        {"MB more after waves": ((max(after[2:]) - after[1]) / MEGABYTE, 5)},
    )
    assert peak < before + CLIENTS * MOST_OF_A_CLIENT
    # The first waves fill the caches, and what is kept for the requests to come.
    assert max(after[2:]) < after[1] + 5 * MEGABYTE
