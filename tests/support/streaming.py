"""The whole application with streams of events besides, of what is published and of jobs."""

import asyncio
import os
from collections.abc import AsyncGenerator
from typing import Annotated

from dependency_injector import providers
from dependency_injector.wiring import Provide
from flask import Flask
from pydantic import BaseModel

from app import create_app
from carboy.api import ApiBlueprint, EventStream, LastEventId
from carboy.api.event_streams import EventStreams
from carboy.di.wiring import wire
from carboy.jobs import INJECTED, JobProgress, JobRun, Jobs, job
from carboy.jobs.errors import JobNotFoundError
from carboy.schemas.events import Event
from carboy.services import Channels, Service, UnitOfWork, transactional
from containers import Container

NEVER = 3600.0


class Told(BaseModel):
    """How often a stream was told, and by which process it is served."""

    number: int
    pid: int


class Process(BaseModel):
    pid: int
    streams: int


class Enqueued(BaseModel):
    job_id: int


class Announcer(Service):
    def __init__(self, unit_of_work: UnitOfWork, channels: Channels, jobs: Jobs) -> None:
        super().__init__(unit_of_work)
        self._channels = channels
        self._jobs = jobs

    @transactional
    async def announce(self, topic: str) -> None:
        self._channels.publish(topic)

    @transactional
    async def count(self, to: int) -> int:
        return (await self._jobs.enqueue(count, to)).id

    async def follow(self, topic: str, last: str | None) -> AsyncGenerator[Event[Told], None]:
        number = 0 if last is None else int(last) + 1
        async for _ in self._channels.changes(topic, every=NEVER):
            yield Event(Told(number=number, pid=os.getpid()), id=str(number))
            number += 1


@job(name="count", retries=0)
async def count(to: int, run: JobRun = INJECTED) -> None:
    """Count, and say so; the last report is always written."""
    for number in range(1, to + 1):
        await asyncio.sleep(0.01)
        await run.progress(number / to, f"{number} of {to}")


class StreamingContainer(Container):
    __self__ = Container.__self__
    announcer = providers.Singleton(
        Announcer, unit_of_work=Container.database, channels=Container.channels, jobs=Container.jobs
    )


streams = ApiBlueprint("streams", __name__, url_prefix="/api/streams", description="What happens.")
Announcing = Annotated[Announcer, Provide["announcer"]]


@streams.get("/topics/<topic>")
async def follow_topic(topic: str, last: LastEventId, announcer: Announcing) -> EventStream[Told]:
    """Follow a topic."""
    return EventStream(announcer.follow(topic, last))


@streams.post("/topics/<topic>")
async def announce_topic(topic: str, announcer: Announcing) -> None:
    """Publish a topic."""
    await announcer.announce(topic)


@streams.get("/process")
async def get_process(open_streams: Annotated[EventStreams, Provide["event_streams"]]) -> Process:
    """Tell which process answers, and how many streams it has."""
    return Process(pid=os.getpid(), streams=open_streams.count)


@streams.post("/jobs")
async def begin_job(announcer: Announcing) -> Enqueued:
    """Begin to count."""
    return Enqueued(job_id=await announcer.count(20))


@streams.get("/jobs/<int:job_id>", errors=[JobNotFoundError])
async def follow_job(
    job_id: int, last: LastEventId, jobs: Annotated[Jobs, Provide["jobs"]]
) -> EventStream[JobProgress]:
    """Follow a job."""
    return EventStream(await jobs.follow(job_id, last))


def create_streaming_app(container: Container) -> Flask:
    container.job_kinds.add_args(count)
    app = create_app(container)
    app.register_blueprint(streams)
    wire(container, app)
    return app
