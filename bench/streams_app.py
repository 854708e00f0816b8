"""The application with a stream that reads a row whenever its topic is published, as a domain's would."""

from collections.abc import AsyncGenerator
from typing import Annotated

from dependency_injector.wiring import Provide
from sqlalchemy import text

from app import create_app
from carboy.api import ApiBlueprint, EventStream
from carboy.db import Database
from carboy.di.wiring import wire
from carboy.jobs import JobProgress, State
from carboy.schemas.events import Event
from carboy.server import create_asgi
from carboy.services import Channels
from containers import Container

watch = ApiBlueprint("watch", __name__, url_prefix="/watch", description="What is watched.")
Topics = Annotated[Channels, Provide["channels"]]
Rows = Annotated[Database, Provide["database"]]

READ = text("SELECT count(*) FROM users WHERE id = 1")


async def _look(database: Database) -> int:
    [(number,)] = await database.read(lambda: database.execute(READ))
    return int(number)


@watch.get("/<topic>")
async def follow(topic: str, channels: Topics, database: Rows) -> EventStream[JobProgress]:
    """Follow a topic: an event when it is published, none when there is only a look."""

    async def events() -> AsyncGenerator[Event[JobProgress], None]:
        number = 0
        async for found in channels.follow(topic, lambda: _look(database)):
            if number == 0 or topic == "news":
                yield Event(JobProgress(id=number, state=State.RUNNING, progress=float(found), progress_text=None))
            number += 1

    return EventStream(events())


@watch.post("/<topic>")
async def publish(topic: str, channels: Topics, database: Rows) -> None:
    """Publish a topic."""

    async def work() -> None:
        channels.publish(topic)

    await database.write(work)


_container = Container()
_app = create_app(_container)
_app.register_blueprint(watch)
wire(_container, _app)
asgi = create_asgi(_container, _app)
