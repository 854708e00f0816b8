"""Two instances of two workers each share a PostgreSQL and nothing else: no process needs what another one holds."""

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from support.accounts import HEADERS
from support.balancer import balance
from support.carboy_server import CarboyServer, launch, wait_for
from support.databases import database_settings, with_services
from support.following import ask, following
from support.idempotent import CLIENTS, assert_created_once
from support.instances import APP, WORKERS, everybody, instances
from support.people import OTHER, add_person, bearer, log_in, tokens_of
from support.redis_server import new_redis, why_no_redis
from support.users import registration
from support.visitor import Visitor

from app.settings import Settings
from carboy.di.lifecycle import opened
from carboy.testing import override
from containers import Container

PROCESSES = 2 * WORKERS
GUESSES, EXPORTS = 10, 2
"""The limit `login` as the code has it, and `exports` as these servers have it."""
LIMITED = {"CARBOY_ENV": "testing", "PYTHONPATH": "tests", "CARBOY_LIMITS__RATES": f"exports={EXPORTS}/1 hour"}


@pytest.fixture(scope="module")
def environment(postgresql_database: str, loaded_settings: Settings) -> dict[str, str]:
    """A database with an administrator named Ada, and with the tests' service."""
    with_services(postgresql_database)
    settings = loaded_settings.model_copy(update={"database": database_settings(postgresql_database)})

    async def add() -> None:
        container = Container()
        with override(container, settings=settings):
            async with opened(container):
                await add_person(container, is_administrator=True)

    asyncio.run(add())
    return LIMITED | {"CARBOY_DATABASE__URL": postgresql_database}


@pytest.fixture(scope="module")
def servers(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[CarboyServer]]:
    with instances(tmp_path_factory.mktemp("instances"), environment) as servers:
        yield servers


@pytest.fixture
def worker(environment: dict[str, str]) -> Iterator[CarboyServer]:
    """A process that runs jobs and serves nothing; what it says is its log."""
    logging = {"CARBOY_LOGGING__LEVEL": "INFO", "CARBOY_LOGGING__FORMAT": "json"}
    with launch(("flask", "--app", APP.partition(":")[0], "jobs", "work"), environment | logging) as worker:
        wait_for(lambda: "working on default" in worker.output(), "The worker does not start")
        yield worker
        worker.stop()


async def statuses(client: httpx.AsyncClient, path: str, **headers: str) -> list[int]:
    """Ask each process in turn."""
    return [(await client.get(path, headers=headers)).status_code for _ in range(PROCESSES)]


async def test_guesses_are_counted_over_all_processes(servers: list[CarboyServer]) -> None:
    async with everybody(servers) as client:
        answers = [await log_in(client, "nobody", OTHER) for _ in range(GUESSES + PROCESSES)]
        assert [answer.status_code for answer in answers] == [401] * GUESSES + [429] * PROCESSES


async def test_a_token_of_one_process_is_valid_in_all_and_once_revoked_in_none(servers: list[CarboyServer]) -> None:
    async with everybody(servers) as client:
        for _ in range(PROCESSES):
            tokens = await tokens_of(client)
            assert await statuses(client, "/api/me", **bearer(tokens)) == [200] * PROCESSES
            assert (await client.post("/api/auth/logout", headers=bearer(tokens))).status_code == 204
            assert await statuses(client, "/api/me", **bearer(tokens)) == [401] * PROCESSES
            # The next round begins, and so revokes, in another process.
            await client.get("/health/live")


async def test_a_browser_is_served_by_whichever_process_its_requests_come_to(servers: list[CarboyServer]) -> None:
    async with everybody(servers) as client:
        visitor = Visitor(client)
        await visitor.log_in()
        assert visitor.path == "/account"
        assert await statuses(client, "/account") == [200] * PROCESSES
        await visitor.open("/account")
        await visitor.send("/account", {"username": "ada", "full_name": "Ada Lovelace"})
        # The message waits in the session for the next page, which is another process's.
        assert "Your profile is saved." in visitor.text
        await visitor.open("/logout")
        await visitor.send("/logout")
        assert await statuses(client, "/account") == [303] * PROCESSES


async def test_a_request_that_is_sent_again_to_another_process_has_one_effect(servers: list[CarboyServer]) -> None:
    key = {"Idempotency-Key": "bob"} | HEADERS
    async with everybody(servers) as client:
        answers = [await client.post("/api/users", json=registration("bob"), headers=key) for _ in range(PROCESSES)]
        reused = await client.post("/api/users", json=registration("eve"), headers=key)
    assert {answer.status_code for answer in answers} == {201}
    assert len({(answer.text, answer.headers["Location"]) for answer in answers}) == 1
    assert [answer.headers.get("Idempotency-Replayed") for answer in answers] == [None] + ["true"] * (PROCESSES - 1)
    assert (reused.status_code, reused.json()["code"]) == (422, "idempotency_key_reused")


async def test_a_request_that_is_sent_to_both_instances_ten_times_at_once_has_one_effect(
    servers: list[CarboyServer],
) -> None:
    async with balance([server.url for server in servers], CLIENTS) as balancer:
        await assert_created_once(balancer, "carol", Counter())
        found = (await balancer.request("GET", "/api/users?username=carol")).json()["items"]
    assert len(found) == 1


def test_what_is_published_in_one_instance_reaches_the_streams_of_all_processes(servers: list[CarboyServer]) -> None:
    with ExitStack() as stack:
        streams = {}
        for server in servers * 50:
            stream = stack.enter_context(following(server, "topics/orders"))
            streams[stream.next()["pid"]] = stream
            if len(streams) == PROCESSES:
                break
        assert len(streams) == PROCESSES
        for number, server in enumerate(servers * 2, 1):
            ask(server, "POST", "topics/orders")
            assert {pid: stream.next() for pid, stream in streams.items()} == {
                pid: {"number": number, "pid": pid} for pid in streams
            }


async def test_a_job_of_any_process_is_run_once_elsewhere_and_seen_by_all(
    servers: list[CarboyServer], worker: CarboyServer
) -> None:
    async with everybody(servers) as client:
        jobs = [(await client.post("/api/streams/jobs")).json()["job_id"] for _ in range(PROCESSES)]
        # The next server is another instance's than the one that has enqueued it.
        for job, server in zip(jobs, servers[::-1] * WORKERS, strict=True):
            with following(server, f"jobs/{job}") as stream:
                told = list(iter(stream.next, None))
            assert (told[-1]["state"], told[-1]["progress"]) == ("done", 1)
        await Visitor(client).log_in()
        for job in jobs * PROCESSES:
            assert "<dd>done</dd>" in (await client.get(f"/admin/jobs/{job}")).text
    lines = [json.loads(line) for line in worker.output().splitlines() if line.startswith("{")]
    assert sorted(line["job_id"] for line in lines if line["event"] == "job") == jobs


async def test_without_redis_each_process_counts_ordinary_limits_for_itself(servers: list[CarboyServer]) -> None:
    async with everybody(servers) as client:
        token = bearer(await tokens_of(client))
        told = [await statuses(client, "/api/me/export", **token) for _ in range(EXPORTS + 1)]
    assert told == [[200] * PROCESSES] * EXPORTS + [[429] * PROCESSES]


async def test_with_redis_ordinary_limits_are_counted_over_all_processes(
    environment: dict[str, str], tmp_path: Path
) -> None:
    if reason := why_no_redis():
        pytest.skip(f"NOT TESTED WITH REDIS: {reason}")
    with new_redis(tmp_path) as url:
        counting = environment | {"CARBOY_LIMITS__REDIS_URL": url}
        with instances(tmp_path, counting, count=1) as servers:
            async with everybody(servers) as client:
                token = bearer(await tokens_of(client))
                told = [(await client.get("/api/me/export", headers=token)).status_code for _ in range(2 * EXPORTS)]
    assert told == [200] * EXPORTS + [429] * EXPORTS
