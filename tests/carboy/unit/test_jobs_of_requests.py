"""Jobs that requests enqueue: their log has the request's id and trace, and tests may run them at once."""

import io
import json
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Annotated, Any

import httpx
import pytest
import pytest_asyncio
from dependency_injector.wiring import Provide
from flask import Flask
from support.jobs import JOBS, JobContainer, Script, act

from app import create_app
from carboy.api import ApiBlueprint
from carboy.config.settings import LoggingSettings, Settings
from carboy.di.wiring import unwire, wire
from carboy.jobs import JobRun, Jobs
from carboy.jobs.kinds import JobKinds
from carboy.server import create_asgi
from carboy.telemetry.stderr import Stderr
from carboy.testing import InlineJobs, MemoryDatabase, client_of, drain, override

Lines = Callable[[], list[dict[str, Any]]]
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

orders = ApiBlueprint("orders", __name__, url_prefix="/orders", description="Orders.")


@orders.post("/<label>")
async def place_order(label: str, jobs: Annotated[Jobs, Provide["jobs"]]) -> None:
    """Place an order."""
    await jobs.enqueue(act, label)


@pytest.fixture
def container(settings: Settings, database: MemoryDatabase) -> Iterator[JobContainer]:
    container = JobContainer()
    kinds = JobKinds(*(job for job in JOBS if job.declared.queue == "default"))
    telling = settings.model_copy(update={"logging": LoggingSettings(level="INFO", format="json")})
    with override(container, settings=telling, database=database, job_kinds=kinds):
        yield container


@pytest.fixture(autouse=True)
def _logging_put_back() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level


@pytest.fixture
def ordering(container: JobContainer) -> Iterator[Flask]:
    app = create_app(container)
    app.register_blueprint(orders)
    wire(container, app)
    yield app
    unwire(container)


@pytest_asyncio.fixture
async def client(container: JobContainer, ordering: Flask) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(create_asgi(container, ordering)) as client:
        yield client


@pytest.fixture
def lines(ordering: Flask) -> Lines:
    """Return the lines that have been logged, read as JSON."""
    [handler] = [handler for handler in logging.getLogger().handlers if type(handler) is Stderr]
    handler.setStream(stream := io.StringIO())

    def lines() -> list[dict[str, Any]]:
        handler.flush()
        return [json.loads(line) for line in stream.getvalue().splitlines()]

    return lines


def speak(_run: JobRun) -> None:
    logging.getLogger("app.orders").info("packing")


async def test_each_line_of_a_job_has_the_id_and_the_trace_of_its_request(
    container: JobContainer, client: httpx.AsyncClient, lines: Lines
) -> None:
    script: Script = container.script()
    script.does["a"] = speak
    script.raises("b", LookupError("no box"))
    for label in "ab":
        headers = {"X-Request-ID": f"request-{label}", "traceparent": TRACE}
        assert (await client.post(f"/orders/{label}", headers=headers)).status_code == 204
    assert await drain(container) == 2
    logged = [line for line in lines() if line.get("job") == "act"]
    assert {(line["event"], line["request_id"], line["traceparent"]) for line in logged} == {
        ("packing", "request-a", TRACE),
        ("job", "request-a", TRACE),
        ("job", "request-b", TRACE),
    }
    [failed] = [line for line in logged if line["request_id"] == "request-b"]
    assert (failed["outcome"], failed["error"], failed["job_id"], failed["attempt"]) == (
        "retried",
        "LookupError: no box",
        2,
        1,
    )


async def test_a_job_of_no_request_has_the_id_of_none(container: JobContainer, lines: Lines) -> None:
    await container.jobs().enqueue(act, "a")
    assert await drain(container) == 1
    [line] = [line for line in lines() if line.get("job") == "act"]
    assert not {"request_id", "traceparent"} & {*line}


async def test_jobs_that_run_inline_are_done_before_the_answer(
    container: JobContainer, client: httpx.AsyncClient
) -> None:
    script: Script = container.script()
    told: list[float] = []

    async def tell(run: JobRun) -> None:
        await run.progress(1.0, "done")
        told.append(run.attempt)

    script.does["a"] = tell
    with override(container, jobs=InlineJobs(container)):
        assert (await client.post("/orders/a")).status_code == 204
        assert (script.ran, told) == (["a"], [1])
    # Nothing was left for a worker.
    assert await drain(container) == 0


async def test_what_an_inline_job_raises_is_raised_where_it_is_enqueued(container: JobContainer) -> None:
    script: Script = container.script()
    script.raises("a", LookupError("no box"))
    jobs = InlineJobs(container)
    with pytest.raises(LookupError, match="no box"):
        await jobs.enqueue(act, "a")
    with pytest.raises(TypeError):
        await jobs.enqueue(act)  # type: ignore[call-arg]
    script.does.clear()
    assert (await jobs.enqueue(act, "b")).is_new
    assert script.ran == ["a", "b"]
