"""Tells other processes that something has changed: NOTIFY and LISTEN of PostgreSQL."""

import asyncio
import logging
import os
import uuid
from contextlib import suppress
from contextvars import Context
from typing import Any
from weakref import WeakValueDictionary

from sqlalchemy import Text, bindparam, func, select
from sqlalchemy.dialects.postgresql import ARRAY

from carboy.db.database import Database
from carboy.db.engines import Engines
from carboy.db.signals import Signal

CHANNEL = "carboy"
SECONDS_BETWEEN = 0.02
"""Notices within this time go together: each commit with a NOTIFY waits for all others that have one."""
RECONNECT_SECONDS = 1.0
PROBE_SECONDS = 30.0
"""How often a connection that hears nothing is asked whether it is still there."""
PROBE_TIMEOUT = 10.0
WAKES_TOGETHER, SECONDS_BETWEEN_WAKES = 100, 0.1
"""How fast all signals are given after the connection had been lost: each means that somebody asks the database."""

NOTIFY = select(func.pg_notify(CHANNEL, func.unnest(bindparam("topics", type_=ARRAY(Text)))))

_log = logging.getLogger(__name__)


class Notices:
    """Passes topics on between the processes of one database, and within this one. On SQLite it is this one alone.

    They are hints: one may be lost, and what it stands for is in the database. So whoever waits for one looks there by
    himself, now and then, and is told of everything when the connection has been lost.
    """

    def __init__(self, database: Database, engines: Engines) -> None:
        self._database = database
        self._engines = engines
        self._is_able = engines.writer.dialect.name == "postgresql"
        self._signals: WeakValueDictionary[str, Signal] = WeakValueDictionary()
        self._name = uuid.uuid4().hex[:8]
        self._topics: set[str] = set()
        self._sending: asyncio.Task[None] | None = None
        self._listening: asyncio.Task[None] | None = None

    def signal(self, topic: str) -> Signal:
        """Return the signal of a topic, which all who ask for it share as long as one of them keeps it."""
        signal = self._signals.get(topic)
        if signal is None:
            signal = self._signals[topic] = Signal(lambda: self._announce(topic))
        return signal

    async def open(self) -> None:
        """Begin to listen, on a connection of its own beside the pool, as soon as the database is there."""
        if self._is_able:
            self._listening = asyncio.create_task(self._listen(), name="notices: listen")

    async def close(self) -> None:
        """Send what is to be sent, and stop listening."""
        if self._sending is not None:
            await asyncio.wait({self._sending})
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.wait({self._listening})
            self._listening = None

    def _announce(self, topic: str) -> None:
        """Tell the other processes of a topic, soon; it must be called on the event loop's thread."""
        if not self._is_able:
            return
        self._topics.add(f"{self._sender} {topic}")
        if self._sending is None or self._sending.done():
            # In a context of its own: it is no part of the request that happens to begin it.
            self._sending = asyncio.create_task(self._send(), name="notices: send", context=Context())

    @property
    def _sender(self) -> str:
        # A process that was forked is another one.
        return f"{self._name}.{os.getpid()}"

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
            await self._wake_all()
            while not lost.is_set():
                with suppress(TimeoutError):
                    await asyncio.wait_for(lost.wait(), PROBE_SECONDS)
                    return
                await driver.execute("SELECT 1", timeout=PROBE_TIMEOUT)

    async def _wake_all(self) -> None:
        """Give all signals, as nobody has told this process what was announced before it listened."""
        for number, signal in enumerate([*self._signals.values()], 1):
            signal.wake()
            if number % WAKES_TOGETHER == 0:
                await asyncio.sleep(SECONDS_BETWEEN_WAKES)

    def _on_notice(self, _connection: object, _process: int, _channel: str, notice: object) -> None:
        sender, _, topic = str(notice).partition(" ")
        signal = self._signals.get(topic)
        # What this process has announced, it has told itself.
        if signal is not None and sender != self._sender:
            signal.wake()
