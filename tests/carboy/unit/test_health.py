"""Liveness and readiness."""

import asyncio
import gc
import logging
from collections.abc import AsyncIterator
from typing import Any, cast

import httpx
import pytest
import pytest_asyncio

from carboy.health import services as health_service
from carboy.health.services import HealthService
from carboy.testing import MemoryDatabase
from containers import Container


class Silent:
    """Never answers, until it is let."""

    def __init__(self) -> None:
        self.may_end = asyncio.Event()
        self.failure: BaseException | None = None

    async def ping(self) -> None:
        await self.may_end.wait()
        if self.failure is not None:
            raise self.failure


class Answering:
    async def ping(self) -> None:
        pass


class Failing:
    def __init__(self, failure: BaseException) -> None:
        self.failure = failure

    async def ping(self) -> None:
        raise self.failure


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health_service, "TIMEOUT_SECONDS", 0.01)


@pytest_asyncio.fixture
async def unheard() -> AsyncIterator[list[dict[str, Any]]]:
    """What asyncio has to report because nobody asked for it: lost exceptions, destroyed tasks."""
    heard: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: heard.append(context))
    yield heard


async def test_live_answers_whatever_the_database_does(client: httpx.AsyncClient, database: MemoryDatabase) -> None:
    database.is_reachable = False
    answer = await client.get("/health/live")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok", "checks": {}})


async def test_ready_when_the_database_answers(client: httpx.AsyncClient) -> None:
    answer = await client.get("/health/ready")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok", "checks": {"database": "ok"}})
    assert answer.headers["Cache-Control"] == "no-store"


async def test_not_ready_when_the_database_does_not_answer_and_ready_again_when_it_does(
    client: httpx.AsyncClient, database: MemoryDatabase
) -> None:
    database.is_reachable = False
    answer = await client.get("/health/ready")
    assert (answer.status_code, answer.headers["Content-Type"]) == (503, "application/problem+json")
    assert (answer.json()["code"], answer.json()["checks"]) == ("unavailable", {"database": "unavailable"})
    assert answer.headers["Cache-Control"] == "no-store"
    database.is_reachable = True
    assert (await client.get("/health/ready")).status_code == 200


async def test_not_ready_once_shutdown_has_begun_while_requests_are_served_on(
    client: httpx.AsyncClient, container: Container
) -> None:
    container.health_service().begin_shutdown()
    answer = await client.get("/health/ready")
    assert (answer.status_code, answer.json()["code"]) == (503, "shutting_down")
    assert answer.json()["checks"] == {"database": "ok"}
    assert (await client.get("/api/users")).status_code == 200
    assert (await client.get("/health/live")).status_code == 200


async def test_the_timeout_is_one_second() -> None:
    assert health_service.TIMEOUT_SECONDS == 1


@pytest.mark.usefixtures("impatient")
async def test_a_dependency_that_never_answers_is_reported_and_holds_up_no_other() -> None:
    silent = Silent()
    service = HealthService({"silent": silent, "answering": Answering()})
    report = await asyncio.wait_for(service.check(), 5)
    assert report.model_dump() == {
        "status": "unavailable",
        "checks": {"silent": "unavailable", "answering": "ok"},
    }
    silent.may_end.set()
    assert (await service.check()).status == "ok"


@pytest.mark.usefixtures("impatient")
async def test_a_dependency_that_fails_after_its_timeout_leaves_no_unheard_exception(
    unheard: list[dict[str, Any]],
) -> None:
    silent = Silent()
    silent.failure = ConnectionError("too late")
    service = HealthService({"silent": silent})
    assert (await service.check()).status == "unavailable"
    silent.may_end.set()
    # This waits without asking for the outcome.
    await asyncio.wait(asyncio.all_tasks() - {cast("asyncio.Task[Any]", asyncio.current_task())})
    gc.collect()
    await asyncio.sleep(0)
    assert unheard == []


@pytest.mark.usefixtures("impatient")
async def test_checks_of_a_dependency_that_never_answers_do_not_pile_up() -> None:
    silent = Silent()
    service = HealthService({"silent": silent})
    before = len(asyncio.all_tasks())
    for _ in range(5):
        assert (await service.check()).status == "unavailable"
    assert len(asyncio.all_tasks()) == before + 1
    silent.may_end.set()
    assert (await service.check()).status == "ok"


@pytest.mark.parametrize(
    "failure", [ConnectionError("refused"), ValueError(), TimeoutError(), asyncio.CancelledError()]
)
async def test_why_a_dependency_does_not_answer_is_logged_and_not_reported(
    failure: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    # A driver may cancel itself; that is no reason to cancel who asks.
    report = await HealthService({"failing": Failing(failure)}).check()
    assert report.model_dump() == {"status": "unavailable", "checks": {"failing": "unavailable"}}
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage() == f"failing does not answer: {failure!r}"


async def test_nothing_to_depend_on_is_ready() -> None:
    assert (await HealthService({}).check()).status == "ok"


class Behind:
    async def ping(self) -> str:
        return "behind"


async def test_a_dependency_that_answers_may_say_what_is_wrong_with_it(caplog: pytest.LogCaptureFixture) -> None:
    report = await HealthService({"migrations": Behind(), "answering": Answering()}).check()
    assert report.model_dump() == {"status": "unavailable", "checks": {"migrations": "behind", "answering": "ok"}}
    assert caplog.records == []


async def test_what_the_configuration_leaves_out_is_not_asked() -> None:
    assert (await HealthService({"migrations": None}).check()).checks == {}


async def test_what_can_be_done_without_is_reported_and_keeps_nothing_from_being_ready() -> None:
    report = await HealthService({"database": Answering()}, {"rates": Failing(OSError()), "none": None}).check()
    assert report.model_dump() == {"status": "ok", "checks": {"database": "ok", "rates": "unavailable"}}
