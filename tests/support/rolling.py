"""What a server does that is restarted under load: the application, a slow view, a stream of events, and jobs."""

import asyncio
import os
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Annotated

from dependency_injector import providers
from dependency_injector.wiring import Provide
from pydantic import BaseModel

from carboy.api import ApiBlueprint
from carboy.api.event_streams import EventStream
from carboy.di.wiring import current_container
from carboy.jobs import INJECTED, Jobs, job
from carboy.schemas.events import Event
from containers import Container

SLOW_SECONDS = 2.0
SHORT_SECONDS, LONG_SECONDS, EVERY = 0.2, float(os.environ.get("LONG_SECONDS", "14")), 25
"""How long jobs take: each 25th longer than a server drains."""

rolling = ApiBlueprint("rolling", __name__, url_prefix="/rolling", description="What takes its time.")


class Ledger:
    """A file with a line for each job that begins or ends."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)

    def note(self, what: str, number: int) -> None:
        with self._path.open("a", encoding="ascii") as file:
            file.write(f"{what} {number}\n")


class Number(BaseModel):
    number: int


@job(name="linger")
async def linger(number: int, ledger: Annotated[Ledger, Provide["ledger"]] = INJECTED) -> None:
    """Take some time; each so many jobs take long."""
    ledger.note("begin", number)
    await asyncio.sleep(SHORT_SECONDS if number % EVERY else LONG_SECONDS)
    ledger.note("end", number)


class RollingContainer(Container):
    __self__ = Container.__self__
    ledger = providers.Singleton(Ledger, path=os.environ.get("LEDGER", ""))


@rolling.get("/slow")
async def answer_slowly() -> Number:
    """Answer after a while."""
    await asyncio.sleep(SLOW_SECONDS)
    return Number(number=1)


@rolling.get("/ticks")
async def follow_ticks() -> EventStream[Number]:
    """Follow a clock."""
    return EventStream(_ticks())


async def _ticks() -> AsyncGenerator[Event[Number], None]:
    number = 0
    while True:
        number += 1
        yield Event(Number(number=number), id=str(number))
        await asyncio.sleep(0.2)


@rolling.post("/jobs/<int:number>")
async def enqueue(number: int) -> None:
    """Let something be done."""
    jobs: Jobs = current_container().jobs()
    await jobs.enqueue(linger, number)
