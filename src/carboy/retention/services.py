"""Sweeps: deletes rows that are kept no longer, a few at a time."""

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from time import monotonic
from typing import Any

from carboy.daos.kept import Kept
from carboy.retention.schemas import Swept
from carboy.services import Service, UnitOfWork, transactional

_log = logging.getLogger(__name__)


class Sweeper(Service):
    """Deletes what is kept no longer.

    Each transaction deletes a few rows only, and is followed by a rest as long as it took, so that whoever else writes
    has half of the time at least: SQLite has one writer.

    Args:
        *kept: What goes by itself, and when.
        unit_of_work: The database.
        clock: Tells the time.
        batch_rows: The most rows that one transaction deletes.
    """

    def __init__(self, *kept: Kept, unit_of_work: UnitOfWork, clock: Callable[[], datetime], batch_rows: int) -> None:
        super().__init__(unit_of_work)
        self._kept = kept
        self._clock = clock
        self._batch_rows = batch_rows

    async def sweep(self) -> Sequence[Swept]:
        """Delete what is kept no longer, and return how much that was of each kind of rows."""
        now = self._clock()
        swept = [await self._sweep(kept, now) for kept in self._kept if kept.age is not None]
        for one in swept:
            if one.rows:
                _log.info("swept %d rows of %s in %.1f s", one.rows, one.name, one.seconds)
        return swept

    async def _sweep(self, kept: Kept, now: datetime) -> Swept:
        began, removed, number = monotonic(), 0, self._batch_rows
        while number == self._batch_rows:
            begun = monotonic()
            number = await self._delete(kept, now)
            removed += number
            if number == self._batch_rows:
                await asyncio.sleep(monotonic() - begun)
        return Swept(kept.name, removed, monotonic() - began)

    @transactional
    async def _delete(self, kept: Kept, now: datetime) -> int:
        return await kept.delete(now, limit=self._batch_rows)

    def check_wiring(self, _providers: Mapping[str, Any]) -> Iterator[str]:
        """Yield a line for each declaration that could not be followed."""
        for kept in self._kept:
            if kept.mistake is not None:
                yield f"what is kept of {kept.name}: {kept.mistake}"
