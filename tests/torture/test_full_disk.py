"""The disk of a SQLite database is full: writes are refused, reads go on, and all is well once there is room.

It needs the right to mount a small file system. PostgreSQL's own disk is not ours to fill.
"""

import asyncio
import itertools
import json
import os
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.carboy_server import HOST, HYPERCORN, PRODUCTION, serve
from support.databases import migrated, with_services
from support.plain_client import PlainClient
from support.users import registration

SIZE, FILLER = "16m", 8_000_000
MOST_WRITES = 200_000


@pytest.fixture
def disk(tmp_path: Path, show: Callable[[str], None]) -> Iterator[Path]:
    """A file system of 16 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["/usr/bin/mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, check=False).returncode != 0:  # noqa: S603 - the test's own.
        show("NOT RUN: a disk that is full, as no file system can be mounted here")
        pytest.skip("no file system can be mounted here")
    yield folder
    subprocess.run(["/usr/bin/umount", str(folder)], check=True)  # noqa: S603 - likewise.


async def write(client: PlainClient, name: str) -> int:
    body = registration(name, full_name="x" * 200)
    return await client.request("POST", "/api/users", json.dumps(body).encode())


@pytest.mark.timeout(600)
async def test_a_full_disk_refuses_writes_until_there_is_room_again(disk: Path, show: Callable[[str], None]) -> None:
    filler = disk / "filler"
    filler.write_bytes(bytes(FILLER))
    url = await asyncio.to_thread(lambda: with_services(migrated(f"sqlite+aiosqlite:///{disk}/carboy.db")))
    answers: Counter[int] = Counter()
    with serve(HYPERCORN, {"CARBOY_DATABASE__URL": url} | PRODUCTION) as server:
        async with PlainClient(HOST, server.port) as client:
            for number in itertools.islice(itertools.count(), MOST_WRITES):
                answers[await write(client, f"before{number}")] += 1
                if answers[503]:
                    break
            refused = [await write(client, f"full{number}") for number in range(20)]
            read = await client.request("GET", "/api/users?limit=1")
            ready, live = [await client.request("GET", f"/health/{what}") for what in ("ready", "live")]
            filler.unlink()
            again = [await write(client, f"after{number}") for number in range(20)]
            ready_again = await client.request("GET", "/health/ready")
    show(
        f"sqlite: full after {answers[201]} writes: {dict(Counter(refused))}, a read {read}, ready {ready}, live {live}"
        f"; with room again {dict(Counter(again))}, ready {ready_again}"
    )
    assert set(answers) == {201, 503}
    assert set(refused) == {503}
    assert (read, ready, live) == (200, 503, 200)
    assert set(again) == {201}
    assert ready_again == 200
