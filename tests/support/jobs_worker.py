"""A worker process whose jobs write down that they ran: ``python -m support.jobs_worker FILE``."""

import asyncio
import os
import sys
from typing import Annotated

from dependency_injector import providers
from dependency_injector.wiring import Provide

from carboy.jobs import INJECTED, JobRun, job
from carboy.jobs.kinds import JobKinds
from carboy.testing import override
from containers import Container


class Ledger:
    """A file with a line for each run, which is on its way to the disk before the run ends."""

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def note(self, *words: object) -> None:
        os.write(self._file, f"{' '.join(map(str, words))}\n".encode())


@job(name="note", retries=20)
async def note(number: int, ledger: Annotated[Ledger, Provide["ledger"]] = INJECTED, run: JobRun = INJECTED) -> None:
    """Write a line, with time before and after in which a kill may come."""
    await asyncio.sleep(0.001)
    ledger.note(number, run.idempotency_key, run.attempt)
    await asyncio.sleep(0.001)


class LedgerContainer(Container):
    __self__ = Container.__self__
    ledger = providers.Singleton(Ledger, path="")


async def work() -> None:
    container = LedgerContainer()
    with override(container, ledger=Ledger(sys.argv[1]), job_kinds=JobKinds(note)):
        async with container.job_worker().working():
            # Until it is killed.
            await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(work())
