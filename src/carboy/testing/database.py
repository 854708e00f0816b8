"""The database of unit tests."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import AsyncAdaptedQueuePool, MetaData, StaticPool, Table, create_engine, event, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from carboy.db import Database, Engines, create_session_factory, sqlite
from carboy.models import Base
from carboy.testing.memory import Memory, MemoryConnection, Reader, Writer

MOST_READERS = 10
"""Sessions that read at once."""
PATIENCE_SECONDS = 5.0
"""The longest wait for another unit that writes, as `database.acquire_timeout` is for a real database."""
PAGE_BYTES = 1024
"""Each table and each index takes a page at least, and the database is copied for each test and each transaction."""

_images: dict[tuple[Table, ...], bytes] = {}
"""Databases without rows, by their tables: copying one takes a tenth of the time that making the tables does."""


class MemoryDatabase(Database):
    """A SQLite database in memory, of a test's own, with empty tables.

    The DAOs' own SQL runs on it. It enforces what a file does: unique constraints, foreign keys, checks, NOT NULL. One
    unit writes at a time and others wait for it; whoever reads meanwhile sees what was committed before. Each statement
    lets other tasks go on, so that requests at the same time meet as they do on a real database. What is in it stays
    when it is closed.

    Args:
        metadata: Its tables, and whatever else `MetaData.create_all` makes; by default those of all models that have
            been imported.
    """

    def __init__(self, metadata: MetaData = Base.metadata) -> None:
        self._memory = Memory(_image_of(metadata))
        super().__init__(_engines_of(self._memory), create_session_factory())

    @property
    def is_reachable(self) -> bool:
        """Set it to False to see what happens when the database does not answer."""
        return self._memory.is_reachable

    @is_reachable.setter
    def is_reachable(self, value: bool) -> None:
        self._memory.is_reachable = value

    async def ping(self) -> None:
        """Ask whether the database answers; it has no migrations, as its tables are made of the models."""
        await self.read(lambda: self.execute(text("SELECT 1")))


def _engines_of(memory: Memory) -> Engines:
    reader = _engine(lambda: Reader(memory), MOST_READERS, isolation_level="AUTOCOMMIT", skip_autocommit_rollback=True)
    writer = _engine(lambda: Writer(memory), 1)
    event.listen(writer.sync_engine, "begin", lambda _connection: memory.begin())
    return Engines(reader, writer, migrator=writer)


def _engine(connect: Callable[[], Reader], pool_size: int, **options: Any) -> AsyncEngine:
    engine = create_async_engine(
        "sqlite+aiosqlite://",
        creator=lambda: MemoryConnection(connect()),
        poolclass=AsyncAdaptedQueuePool,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=PATIENCE_SECONDS,
        hide_parameters=True,
        **options,
    )
    event.listen(engine.sync_engine, "connect", sqlite.configure)
    return engine


def _image_of(metadata: MetaData) -> bytes:
    tables = tuple(metadata.tables.values())
    if tables not in _images:
        engine = create_engine("sqlite://", poolclass=StaticPool)
        event.listen(engine, "connect", sqlite.configure)
        with engine.connect() as connection:
            connection.exec_driver_sql(f"PRAGMA page_size={PAGE_BYTES}")
            metadata.create_all(connection)
            connection.commit()
            driver: Any = connection.connection.driver_connection
            _images[tables] = driver.serialize()
        engine.dispose()
    return _images[tables]
