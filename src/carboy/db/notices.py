"""Tells other processes that something has changed: NOTIFY and LISTEN of PostgreSQL."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from sqlalchemy import Text, bindparam, func, select
from sqlalchemy.dialects.postgresql import ARRAY

from carboy.db.database import Database
from carboy.db.engines import Engines

CHANNEL = "carboy"
SECONDS_BETWEEN = 0.02
"""Notices within this time go together: each commit with a NOTIFY waits for all others that have one."""
RECONNECT_SECONDS = 1.0
PROBE_SECONDS = 30.0
"""How often a connection that hears nothing is asked whether it is still there."""
PROBE_TIMEOUT = 10.0

NOTIFY = select(func.pg_notify(CHANNEL, func.unnest(bindparam("topics", type_=ARRAY(Text)))))

_log = logging.getLogger(__name__)


class Notices:
    """Passes topics on between the processes of one database. On SQLite it does nothing.

    They are hints: one may be lost, and what it stands for is in the database. So whoever subscribes looks there by
    himself, now and then, and is told of everything when the connection has been lost.
    """

    def __init__(self, database: Database, engines: Engines) -> None:
        self._database = database
        self._engines = engines
        self._is_able = engines.writer.dialect.name == "postgresql"
        self._heard: defaultdict[str, list[Callable[[], None]]] = defaultdict(list)
        self._topics: set[str] = set()
        self._sending: asyncio.Task[None] | None = None
        self._listening: asyncio.Task[None] | None = None

    def subscribe(self, topic: str, heard: Callable[[], None]) -> None:
        """Call something when a process has announced a topic, this one too, from `open` on."""
        self._heard[topic].append(heard)

    def announce(self, topic: str) -> None:
        """Tell all processes of a topic, soon; it must be called on the event loop's thread."""
        if not self._is_able:
            return
        self._topics.add(topic)
        if self._sending is None or self._sending.done():
            self._sending = asyncio.create_task(self._send(), name="notices: send")

    async def open(self) -> None:
        """Begin to listen, on a connection of its own beside the pool, as soon as the database is there."""
        if self._is_able and self._heard:
            self._listening = asyncio.create_task(self._listen(), name="notices: listen")

    async def close(self) -> None:
        """Send what is to be sent, and stop listening."""
        if self._sending is not None:
            await asyncio.wait({self._sending})
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.wait({self._listening})
            self._listening = None

    async def _send(self) -> None:
        while self._topics:
            topics, self._topics = sorted(self._topics), set()
            try:
                await self._database.read(lambda: self._database.execute(NOTIFY, {"topics": topics}))  # noqa: B023 - it is awaited here.
            except Exception as error:  # noqa: BLE001 - a hint may be lost.
                _log.info("a notice was lost: %s", error)
            await asyncio.sleep(SECONDS_BETWEEN)

    async def _listen(self) -> None:
        while True:
            try:
                await self._hear()
            except Exception as error:  # noqa: BLE001 - whatever it is, it is tried again.
                _log.info("no notices are heard for the moment: %s", error)
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _hear(self) -> None:
        """Listen until the connection is lost."""
        async with self._engines.migrator.connect() as connection:
            driver: Any = (await connection.get_raw_connection()).driver_connection
            lost = asyncio.Event()
            driver.add_termination_listener(lambda _connection: lost.set())
            await driver.add_listener(CHANNEL, self._on_notice)
            # What was announced before, nobody has told this process.
            for topic in self._heard:
                self._tell(topic)
            while not lost.is_set():
                with suppress(TimeoutError):
                    await asyncio.wait_for(lost.wait(), PROBE_SECONDS)
                    return
                await driver.execute("SELECT 1", timeout=PROBE_TIMEOUT)

    def _on_notice(self, _connection: object, _process: int, _channel: str, topic: object) -> None:
        self._tell(str(topic))

    def _tell(self, topic: str) -> None:
        for heard in self._heard.get(topic, ()):
            heard()
