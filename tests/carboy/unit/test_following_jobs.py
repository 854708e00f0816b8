"""Streams that follow a job: from its start, or where the client was, to its end."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
import pytest_asyncio
from flask import Flask
from pydantic_core import from_json
from support.asgi import Conversation, eventually, http_scope
from support.jobs import JOBS, JobContainer, Script, act

from app import create_app
from carboy.api import ApiBlueprint, EventStream, LastEventId
from carboy.bridge import FlaskASGI
from carboy.config.settings import Settings
from carboy.di.wiring import current_container, unwire
from carboy.jobs import JobProgress, JobRun
from carboy.jobs.errors import JobNotFoundError
from carboy.jobs.kinds import JobKinds
from carboy.server import create_asgi
from carboy.testing import MemoryDatabase, client_of, override

prints = ApiBlueprint("prints", __name__, url_prefix="/prints", description="Prints.")


@prints.get("/<int:job_id>/events", errors=[JobNotFoundError])
async def follow_print(job_id: int, last: LastEventId) -> EventStream[JobProgress]:
    """Follow a print."""
    return EventStream(await current_container().jobs().follow(job_id, last))


@pytest.fixture
def container(settings: Settings, database: MemoryDatabase) -> Iterator[JobContainer]:
    container = JobContainer()
    jobs = settings.jobs.model_copy(update={"queues": ("default:4",)})
    kinds = JobKinds(*(job for job in JOBS if job.declared.queue == "default"))
    with override(container, settings=settings.model_copy(update={"jobs": jobs}), database=database, job_kinds=kinds):
        yield container


@pytest.fixture
def printing(container: JobContainer) -> Iterator[Flask]:
    app = create_app(container)
    app.register_blueprint(prints)
    yield app
    unwire(container)


@pytest_asyncio.fixture
async def asgi(container: JobContainer, printing: Flask) -> AsyncIterator[FlaskASGI]:
    asgi = create_asgi(container, printing)
    async with client_of(asgi):
        yield asgi


class Printing:
    """A handler that goes on when the test says so, and tells how far it is."""

    def __init__(self, container: JobContainer) -> None:
        script: Script = container.script()
        script.does["a"] = self.run
        self.steps: asyncio.Queue[tuple[float, str] | None] = asyncio.Queue()

    async def run(self, run: JobRun) -> None:
        while (step := await self.steps.get()) is not None:
            run._reported_at = 0  # noqa: SLF001 - reports are a second apart, which no test waits for.
            await run.progress(*step)


def events_in(text: str) -> list[tuple[str, float | None, str | None]]:
    """Return state, progress and text of each event."""
    data = [from_json(line.removeprefix("data: ")) for line in text.splitlines() if line.startswith("data: ")]
    return [(one["state"], one["progress"], one["progress_text"]) for one in data]


def ids_in(text: str) -> list[str]:
    return [line.removeprefix("id: ") for line in text.splitlines() if line.startswith("id: ")]


async def test_a_job_is_followed_from_its_enqueue_to_its_end(container: JobContainer, asgi: FlaskASGI) -> None:
    printing, worker = Printing(container), container.job_worker()
    job_id = (await container.jobs().enqueue(act, "a")).id
    following = Conversation(asgi, http_scope(f"/prints/{job_id}/events")).start()
    await eventually(lambda: ("waiting", None, None) in events_in(following.answer.text))
    assert await worker.claim() == 1
    for step in ((0.25, "first page"), (0.5, "second page")):
        printing.steps.put_nowait(step)
        await eventually(lambda step=step: ("running", *step) in events_in(following.answer.text))  # type: ignore[misc]
    printing.steps.put_nowait(None)
    answer = await following.end()
    assert events_in(answer.text)[-1] == ("done", 0.5, "second page")
    assert len(set(ids_in(answer.text))) == len(events_in(answer.text)) == 4
    assert "payload" not in answer.text


async def test_a_client_that_comes_again_is_told_what_is_new_and_after_the_end_204(
    container: JobContainer, asgi: FlaskASGI
) -> None:
    printing, worker = Printing(container), container.job_worker()
    job_id = (await container.jobs().enqueue(act, "a")).id
    await worker.claim()
    printing.steps.put_nowait((0.5, "half"))
    first = Conversation(asgi, http_scope(f"/prints/{job_id}/events")).start()
    await eventually(lambda: ("running", 0.5, "half") in events_in(first.answer.text))
    first.leave()
    last = ids_in(first.answer.text)[-1].encode()
    again = Conversation(asgi, http_scope(f"/prints/{job_id}/events", headers=[(b"last-event-id", last)])).start()
    await eventually(lambda: again.answer.text.startswith("retry:"))
    printing.steps.put_nowait(None)
    answer = await again.end()
    assert events_in(answer.text) == [("done", 0.5, "half")]
    seen_all = [(b"last-event-id", ids_in(answer.text)[-1].encode())]
    over = await Conversation(asgi, http_scope(f"/prints/{job_id}/events", headers=seen_all)).start().end()
    assert (over.status, over.body) == (204, b"")


async def test_a_job_that_is_cancelled_or_removed_ends_its_streams(container: JobContainer, asgi: FlaskASGI) -> None:
    cancelled, dropped = [(await container.jobs().enqueue(act, "a")).id for _ in range(2)]
    streams = [Conversation(asgi, http_scope(f"/prints/{one}/events")).start() for one in (cancelled, dropped)]
    await eventually(lambda: all(events_in(one.answer.text) for one in streams))
    await container.jobs().cancel(cancelled)
    await container.jobs().drop(dropped)
    assert events_in((await streams[0].end()).text) == [("waiting", None, None), ("cancelled", None, None)]
    assert events_in((await streams[1].end()).text) == [("waiting", None, None)]


async def test_a_job_that_there_is_not_is_404(container: JobContainer, printing: Flask) -> None:
    async with client_of(create_asgi(container, printing)) as client:
        answer: httpx.Response = await client.get("/prints/99/events")
    assert (answer.status_code, answer.json()["code"]) == (404, "job_not_found")
