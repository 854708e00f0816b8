"""Writes down when sessions and keys were last used, beside the requests and not within them."""

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Protocol

from app.accounts.daos import ApiKeyDao, SessionDao
from carboy.errors import CarboyError
from carboy.services import Service, UnitOfWork, transactional

EVERY = timedelta(minutes=1)
"""A row is written at most once in this time."""
FLUSH_SECONDS = 2.0

_log = logging.getLogger(__name__)


class Used(Protocol):
    """What is known of a session or a key that is in use."""

    @property
    def credential_id(self) -> int: ...

    @property
    def last_seen_at(self) -> datetime | None: ...

    @property
    def idle_seconds(self) -> int: ...


class LastSeen(Service):
    """Collects who was seen, and writes it with one statement for all every few seconds.

    What was collected is written when the application stops, too. A crash loses two seconds of it.
    """

    def __init__(self, unit_of_work: UnitOfWork, sessions: SessionDao, keys: ApiKeyDao) -> None:
        super().__init__(unit_of_work)
        self._daos: dict[str, SessionDao | ApiKeyDao] = {"session": sessions, "key": keys}
        self._seen: dict[tuple[str, int], Mapping[str, object]] = {}
        self._task: asyncio.Task[None] | None = None

    def open(self) -> None:
        self._task = asyncio.create_task(self._flush_regularly())

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            self._task = None
        await self._try_to_flush()

    def note(self, kind: str, row: Used, now: datetime, address: str | None) -> None:
        """Note that a session or key is in use, unless that was written down within the last minute."""
        if row.last_seen_at is None or now - row.last_seen_at >= EVERY:
            values: dict[str, Any] = {"row": row.credential_id, "seen_at": now, "seen_address": address}
            if kind == "session":
                values["seen_until"] = now + timedelta(seconds=row.idle_seconds)
            self._seen[kind, row.credential_id] = values

    async def flush(self) -> None:
        """Write down what was noted."""
        seen, self._seen = self._seen, {}
        if seen:
            await self._write(seen)

    @transactional
    async def _write(self, seen: Mapping[tuple[str, int], Mapping[str, object]]) -> None:
        for kind, dao in self._daos.items():
            # In one order, so that no two processes wait for each other.
            rows = [values for key, values in sorted(seen.items()) if key[0] == kind]
            if rows:
                await dao.touch(rows)

    async def _flush_regularly(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            await self._try_to_flush()

    async def _try_to_flush(self) -> None:
        try:
            await self.flush()
        except CarboyError as error:
            # The database is away: that a session was used is no reason to fail.
            _log.warning("could not write down when sessions were last seen: %r", error)
