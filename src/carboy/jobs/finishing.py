"""Writes the ends of runs, those that come together in one transaction, until the database has taken them."""

import asyncio
import logging
from collections.abc import Sequence
from contextvars import Context

from carboy.errors import UnavailableError
from carboy.jobs.leases import Leases
from carboy.jobs.schemas import End

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.05, 2.0

_log = logging.getLogger(__name__)


class Finisher:
    """Takes ends and tells which of them were written: those whose lease was still held.

    While one transaction is written, others gather for the next one.
    """

    def __init__(self, leases: Leases) -> None:
        self._leases = leases
        self._gathered: list[tuple[End, asyncio.Future[bool]]] = []
        self._writing: asyncio.Task[None] | None = None

    async def finish(self, end: End) -> bool:
        """Write an end; it waits for a database that is away. False if the lease had been lost."""
        told: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._gathered.append((end, told))
        if self._writing is None or self._writing.done():
            # In a context of its own: it is no part of the job that happens to begin it.
            self._writing = asyncio.create_task(self._write_all(), context=Context())
        return await told

    async def _write_all(self) -> None:
        # Handlers that end in the same turn of the loop are written together.
        await asyncio.sleep(0)
        while self._gathered:
            batch, self._gathered = self._gathered, []
            written = await self._written([end for end, _ in batch])
            for end, told in batch:
                if not told.done():
                    told.set_result(end.id in written)

    async def _written(self, ends: Sequence[End]) -> set[int]:
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                return await self._leases.finish(ends)
            except UnavailableError as error:
                _log.warning("the ends of %d jobs wait for the database: %s", len(ends), error)
            except Exception:  # noqa: BLE001 - it is logged, and the worker goes on.
                if len(ends) == 1:
                    # Its lease lapses, so that it is run again.
                    _log.exception("the end of job %d could not be written", ends[0].id)
                    return set()
                # One of them is at fault, and must not keep the others.
                return {one for end in ends for one in await self._written([end])}
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
