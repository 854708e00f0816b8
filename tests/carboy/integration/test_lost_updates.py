"""No update is lost, however many clients and processes read a row and write what they made of it."""

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import pytest
from support.counting import CLIENTS, TIMES, CountingService, repeat
from support.users import registration

from carboy.errors import StaleVersionError

ALL = CLIENTS * TIMES
TESTS = Path(__file__).parents[2]
Step = Callable[[CountingService, int], Awaitable[object]]

STEPS: dict[str, Step] = {
    "read by id": lambda service, user_id: service.increment(user_id),
    "read by name": lambda service, _: service.increment_by_username("ada"),
    "checking the version": lambda service, user_id: service.increment_version(user_id),
}


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS.keys())
async def test_clients_of_one_process_lose_no_update(service: CountingService, step: Step) -> None:
    user = await service.add()
    acknowledged = await repeat(lambda: step(service, user.id))
    changed = await service.get(user.id)
    assert (acknowledged, await service.count(user.id), changed.version) == (ALL, ALL, ALL + 1)


async def test_a_value_read_in_another_unit_overwrites_no_later_change(service: CountingService) -> None:
    user = await service.add()
    refused = 0

    async def read_then_write() -> None:
        nonlocal refused
        while True:
            read_before = await service.get(user.id)
            try:
                await service.overwrite(read_before)
            except StaleVersionError:
                refused += 1
            else:
                return

    acknowledged = await repeat(read_then_write, times=5)
    assert refused > 0, "Nobody came between, so that nothing was tested."
    assert (acknowledged, await service.count(user.id)) == (5 * CLIENTS, 5 * CLIENTS)


async def test_two_processes_lose_no_update(service: CountingService, database_url: str) -> None:
    user = await service.add()
    command = [sys.executable, "-m", "support.counting", database_url, str(user.id)]
    pipe = subprocess.PIPE
    processes = [await asyncio.create_subprocess_exec(*command, cwd=TESTS, stdin=pipe, stdout=pipe) for _ in range(2)]
    for process in processes:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
    answers = await asyncio.gather(*(process.communicate(b"go\n") for process in processes))
    assert [int(output) for output, _ in answers] == [ALL, ALL]
    assert await service.count(user.id) == 2 * ALL


# Thousands of requests, whose every line other tests cover too.
@pytest.mark.no_cover
async def test_clients_that_send_if_match_lose_no_update(client: httpx.AsyncClient) -> None:
    """Ten clients read a user and write what they made of it, many times each; who comes too late reads again."""
    created = await client.post("/api/users", json=registration("ada", full_name="0"))
    address = created.headers["Location"]
    # One of those who have read the same wins. More of them at once would only be refused more often.
    rivals = asyncio.Semaphore(3)
    refused = 0

    async def increment() -> None:
        nonlocal refused
        while True:
            async with rivals:
                read = await client.get(address)
                change = {"full_name": str(int(read.json()["full_name"]) + 1)}
                answer = await client.patch(address, json=change, headers={"If-Match": read.headers["ETag"]})
            if answer.status_code != 412:
                assert answer.status_code == 200
                return
            refused += 1

    acknowledged = await repeat(increment)
    assert refused > ALL / 4, "Hardly anybody came between, so that little was tested."
    user = (await client.get(address)).json()
    assert (acknowledged, user["full_name"], user["version"]) == (ALL, str(ALL), ALL + 1)
