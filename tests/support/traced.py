"""What the tests of traces trace: a service, a job, a client of an API, and views of all kinds."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from typing import Annotated, Any

import httpx2
from dependency_injector import providers
from dependency_injector.wiring import Provide
from flask import Blueprint, Response, stream_with_context
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from pydantic import BaseModel
from support.clients import SETTINGS, WeatherClient
from support.mails import welcome
from support.monitored import Meeting

from carboy.api import ApiBlueprint, EventStream
from carboy.clients import HttpClient
from carboy.config.settings import Environment, TracingSettings
from carboy.db import Database
from carboy.di.wiring import current_container
from carboy.errors import NotFoundError
from carboy.jobs import INJECTED, Jobs, job
from carboy.jobs.kinds import JobKinds, jobs_in
from carboy.mail import jobs as mail_jobs
from carboy.schemas.events import Event
from carboy.services import Service, UnitOfWork, transactional
from carboy.telemetry.tracing import Tracing, span
from containers import Container

SETTINGS_OF_TRACES = TracingSettings(endpoint="http://collector.invalid:4318", service="tests", sample_ratio=1.0)

meeting = Meeting()
called: list[str] = []
"""The ``traceparent`` of each call of the API."""


class Done(BaseModel):
    number: int


@job(retries=0)
async def remind(number: int, weather: Annotated[WeatherClient, Provide["weather"]] = INJECTED) -> None:
    await weather.weather("Oslo")
    if number == 13:
        raise LookupError("there is nobody to remind")


class Shop(Service):
    def __init__(self, unit_of_work: UnitOfWork, jobs: Jobs) -> None:
        super().__init__(unit_of_work)
        self._jobs = jobs

    @transactional
    async def order(self, number: int) -> Done:
        if number == 0:
            raise NotFoundError
        await self._jobs.enqueue(remind, number=number)
        return Done(number=number)


def answer(request: httpx2.Request) -> httpx2.Response:
    called.append(request.headers.get("traceparent", ""))
    return httpx2.Response(200, json={"degrees": 1})


class TracedContainer(Container):
    __self__ = Container.__self__
    weather = providers.Singleton(WeatherClient, http=Container.http_client, base_url="https://api.example")
    shop = providers.Singleton(Shop, unit_of_work=Container.database, jobs=Container.jobs)


def parts(database: Database, exporter: InMemorySpanExporter | None = None) -> dict[str, Any]:
    """Return what the container is given in place of its own; it traces if there is something to trace to."""
    return ({} if exporter is None else {"tracing": tracing_to(exporter, database)}) | {
        "database": database,
        "http_client": HttpClient(SETTINGS, transport=httpx2.MockTransport(answer)),
        "job_kinds": JobKinds(remind, *jobs_in(mail_jobs)),
    }


def tracing_to(exporter: InMemorySpanExporter | None, database: Database, **changes: Any) -> Tracing:
    """Trace what is done with a database."""
    return Tracing(
        SETTINGS_OF_TRACES.model_copy(update=changes),
        Environment.TESTING,
        database._engines,  # noqa: SLF001 - a database in memory has those of its own.
        database,
        exporter,
    )


api = ApiBlueprint("traced", __name__, url_prefix="/traced", description="Traced.")
plain = Blueprint("plain", __name__, url_prefix="/traced")


@api.get("/order/<int:number>")
async def order(number: int) -> Done:
    """Order."""
    container: Any = current_container()
    done: Done = await container.shop().order(number)
    await container.weather().weather("Oslo")
    return done


@api.get("/mail")
async def mail() -> Done:
    """Send a mail."""
    await current_container().mailer().send(welcome())
    return Done(number=1)


@api.get("/fail")
async def fail() -> Done:
    """Fail."""
    raise LookupError("secret")


async def within_spans(number: int) -> None:
    """Make a span, and one within it once all requests have come as far."""
    with span("outer", number=number):
        await meeting.join()
        with span("inner", number=number):
            await asyncio.sleep(0)


@api.get("/groups/<int:number>")
async def groups(number: int) -> Done:
    """Do two things at once."""
    async with asyncio.TaskGroup() as group:
        group.create_task(within_spans(number))
        group.create_task(within_spans(number))
    return Done(number=number)


@api.get("/events/<int:number>")
async def events(number: int) -> EventStream[Done]:
    """Stream events."""

    async def stream() -> AsyncGenerator[Event[Done], None]:
        yield Event(Done(number=number))
        await within_spans(number)
        yield Event(Done(number=number))

    return EventStream(stream())


@plain.get("/chunks/<int:number>")
async def chunks(number: int) -> Any:
    async def stream() -> AsyncIterator[str]:
        yield "begun"
        await within_spans(number)
        yield "done"

    # The bridge takes what Flask's types do not know.
    return Response(stream())  # type: ignore[arg-type]


def within_spans_of_a_thread(number: int) -> None:
    with span("outer", number=number):
        meeting.wait()
        with span("inner", number=number):
            pass


@plain.get("/sync/<int:number>")
def sync(number: int) -> str:
    within_spans_of_a_thread(number)
    return "done"


@plain.get("/sync-chunks/<int:number>")
def sync_chunks(number: int) -> Any:
    def stream() -> Iterator[str]:
        with span("outer", number=number):
            yield "begun"
            meeting.wait()
            with span("inner", number=number):
                yield "done"

    return Response(stream_with_context(stream()))


@api.get("/meets/<int:number>")
async def meets(number: int) -> Done:
    """Fail, once all others are about to."""
    await meeting.join()
    raise LookupError(f"/traced/meets/{number}")


@plain.get("/sync-meets/<int:number>")
def sync_meets(number: int) -> str:
    meeting.wait()
    raise LookupError(f"/traced/sync-meets/{number}")


@plain.get("/breaks/<int:number>")
async def breaks(number: int) -> Any:
    async def stream() -> AsyncIterator[str]:
        yield "begun"
        raise LookupError("in a stream")

    return Response(stream())  # type: ignore[arg-type]


def edges(spans: tuple[ReadableSpan, ...]) -> list[tuple[str, str | None]]:
    """Return the name of each span with that of its parent."""
    names = {one.context.span_id: one.name for one in spans}
    return sorted((one.name, names.get(one.parent.span_id, "remote") if one.parent else None) for one in spans)
