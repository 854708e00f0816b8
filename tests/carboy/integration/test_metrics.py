"""What Prometheus is told, by an application on a real database."""

import asyncio
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import httpx
import pytest
from flask import Flask
from sqlalchemy import event
from support.carboy_server import free_port
from support.databases import database_settings
from support.server import NO_TLS

from carboy.config.settings import MetricsSettings, Settings
from carboy.db import Database, create_engines, create_session_factory
from carboy.errors import DatabaseUnavailableError
from carboy.telemetry.loop_metrics import INTERVAL_SECONDS
from carboy.testing import override
from containers import Container


@pytest.fixture
def metrics_port() -> Iterator[int]:
    with free_port() as port:
        yield port


@pytest.fixture
def container(settings: Settings, database_url: str, metrics_port: int) -> Iterator[Container]:
    """One whose metrics have a port."""
    container = Container()
    watched = MetricsSettings(port=metrics_port, host="127.0.0.1")
    real = settings.model_copy(update={"database": database_settings(database_url), "metrics": watched})
    with override(container, settings=real):
        yield container


async def scrape(port: int) -> dict[str, float]:
    """Return the value of each series."""
    async with httpx.AsyncClient(trust_env=False, verify=NO_TLS) as client:
        answer = await client.get(f"http://127.0.0.1:{port}/metrics")
    assert answer.status_code == 200
    lines = [line.rpartition(" ") for line in answer.text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in lines}


@pytest.fixture
def statements(container: Container) -> list[str]:
    """The first word of each statement, as an event of our own sees it."""
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        seen.append(statement.split(maxsplit=1)[0])

    for engine in container.engines().sources:
        event.listen(engine, "before_cursor_execute", note)
    return seen


async def test_requests_statements_and_pools_are_measured(
    statements: list[str], client: httpx.AsyncClient, metrics_port: int, database_url: str
) -> None:
    for number in range(3):
        body = {"username": f"user{number}", "email": f"user{number}@example.org", "full_name": "A User"}
        assert (await client.post("/api/users", json=body)).status_code == 201
    assert (await client.get("/api/users/1")).status_code == 200
    assert (await client.get("/api/users/99")).status_code == 404
    assert (await client.get("/nowhere/at/all")).status_code == 404
    assert (await client.request("BREW", "/api/users")).status_code == 405
    series = await scrape(metrics_port)

    def requests(method: str, route: str, status: int) -> float:
        labels = f'method="{method}",route="{route}",status="{status}"'
        return series[f"http_server_request_duration_seconds_count{{{labels}}}"]

    assert requests("POST", "/api/users", 201) == 3
    assert requests("GET", "/api/users/<int:user_id>", 200) == 1
    assert requests("GET", "/api/users/<int:user_id>", 404) == 1
    assert requests("GET", "", 404) == 1
    assert requests("_OTHER", "", 405) == 1
    assert series["http_server_active_requests"] == 0
    selects = series['db_client_operation_duration_seconds_count{operation="SELECT"}']
    assert series['db_client_operation_duration_seconds_count{operation="INSERT"}'] >= 3
    assert series['db_client_operation_duration_seconds_count{operation="COMMIT"}'] >= 3
    assert selects == statements.count("SELECT") > 2
    pool = "write" if database_url.startswith("sqlite") else "all"
    assert series[f'db_client_connection_count{{pool="{pool}",state="used"}}'] == 0
    assert series[f'db_client_connection_count{{pool="{pool}",state="idle"}}'] >= 1
    assert series["process_resident_memory_bytes"] > 0
    assert not [name for name in series if re.search(r"_created\b", name)]


async def test_a_hundred_requests_at_once_on_threads_and_the_loop_are_counted_exactly(
    app: Flask, client: httpx.AsyncClient, metrics_port: int, statements: list[str]
) -> None:
    app.add_url_rule("/slow", view_func=lambda: "done", endpoint="slow")
    statements.clear()
    paths = ["/slow", "/api/users", "/api/users/99"] * 33 + ["/slow"]
    answers = await asyncio.gather(*(client.get(path) for path in paths))
    series = await scrape(metrics_port)
    wanted = {"/slow": (200, 34), "/api/users": (200, 33), "/api/users/<int:user_id>": (404, 33)}
    for route, (status, number) in wanted.items():
        labels = f'method="GET",route="{route}",status="{status}"'
        assert series[f"http_server_request_duration_seconds_count{{{labels}}}"] == number
        assert series[f'http_server_request_duration_seconds_bucket{{le="+Inf",{labels}}}'] == number
    assert len(answers) == 100
    assert series["http_server_active_requests"] == 0
    selects = series['db_client_operation_duration_seconds_count{operation="SELECT"}']
    assert selects == statements.count("SELECT") >= 66


async def test_a_blocked_event_loop_is_seen(container: Container) -> None:
    lags = container.loop_metrics()
    await lags.open()
    # It sleeps by now; then somebody keeps the loop for longer than that.
    await asyncio.sleep(0)
    time.sleep(INTERVAL_SECONDS + 0.1)  # noqa: ASYNC251 - the mistake that is to be seen.
    # One turn for the timer, one for the task.
    await asyncio.sleep(0.01)
    await lags.close()
    [metric] = lags.collect()
    counts = {sample.labels.get("le"): sample.value for sample in metric.samples if sample.name.endswith("_bucket")}
    assert (counts["0.05"], counts["+Inf"]) == (0, 1)


async def test_who_waits_for_a_connection_is_counted(database_url: str) -> None:
    engines = create_engines(database_settings(database_url, pool_size=1, acquire_timeout=0.5))
    database = Database(engines, create_session_factory())
    held, enough = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        await database.session(writes=True)
        held.set()
        await enough.wait()

    # Where the server is too busy to let the first one connect in time, the group ends what waits for it.
    async with asyncio.TaskGroup() as group:
        group.create_task(database.write(hold))
        await held.wait()
        with suppress(DatabaseUnavailableError):
            await database.write(lambda: database.session(writes=True))
        enough.set()
    turns = engines.connections.pools()["write" if database_url.startswith("sqlite") else "all"][1]
    assert (turns.waits, turns.timeouts, turns.taken, turns.waiting) == (1, 1, 0, 0)
    assert turns.waited_seconds >= 0.4
    await engines.dispose()
