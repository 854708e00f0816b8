"""The disk of a database is full: writes are refused, reads go on, readiness fails, and all is well with room again.

It needs the right to mount a small file system; of PostgreSQL, whose tables are on it, also a server on this machine.
"""

import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from support.carboy_server import HOST, HYPERCORN, PRODUCTION, serve
from support.databases import migrated, why_unreachable, with_services
from support.disks import Disk, database_on, mounted
from support.figures import Keep
from support.plain_client import PlainClient
from support.users import registration

MOST_WRITES = 200_000


@pytest.fixture(params=["sqlite", "postgresql"])
def backend(request: pytest.FixtureRequest) -> str:
    backend: str = request.param
    return backend


@pytest.fixture
def disk(backend: str, show: Callable[[str], None]) -> Iterator[Disk]:
    """A file system of some megabytes."""
    if backend == "postgresql" and (reason := why_unreachable()):
        pytest.fail(f"PostgreSQL cannot be reached: {reason}")
    with mounted() as disk:
        if disk is None:
            show(f"NOT RUN: a disk that is full, of {backend}, as no file system can be mounted here")
            pytest.skip("no file system can be mounted here")
        yield disk


@pytest.fixture
def url(disk: Disk, backend: str) -> Iterator[str]:
    with database_on(disk, backend) as url:
        with_services(migrated(url))
        disk.fill()
        yield url


async def write(client: PlainClient, name: str) -> int:
    body = registration(name, full_name="x" * 200)
    return await client.request("POST", "/api/users", json.dumps(body).encode())


@pytest.mark.timeout(900)
async def test_a_full_disk_refuses_writes_until_there_is_room_again(url: str, disk: Disk, keep: Keep) -> None:
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
            disk.make_room()
            ready_again = await client.request("GET", "/health/ready")
            again = [await write(client, f"after{number}") for number in range(20)]
    wrong = [status for status in (*answers, *refused) if status not in {201, 503}]
    keep(
        f"full after {answers[201]} writes: {dict(Counter(refused))}, a read {read}, ready {ready}, live {live}; "
        f"with room again {dict(Counter(again))}, ready {ready_again}",
        {
            "writes answered otherwise than by 503": (len(wrong), 0),
            "writes refused with room": (20 - again.count(201), 0),
        },
    )
    assert set(answers) == {201, 503}
    assert set(refused) == {503}
    assert (read, ready, live) == (200, 503, 200)
    assert ready_again == 200
    assert set(again) == {201}
