"""The database of unit tests."""

from collections.abc import Callable
from contextlib import suppress
from copy import copy
from functools import cache
from typing import Any, cast

from sqlalchemy import (
    AsyncAdaptedQueuePool,
    Engine,
    MetaData,
    NullPool,
    StaticPool,
    Table,
    create_engine,
    event,
    make_url,
    text,
)
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.aiosqlite import SQLiteDialect_aiosqlite
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.util import greenlet_spawn

from carboy.db import Database, Engines, create_session_factory, sqlite
from carboy.models import Base
from carboy.testing.memory import Memory, MemoryConnection, Reader, Writer

MOST_READERS = 10
"""Sessions that read at once."""
PATIENCE_SECONDS = 5.0
"""The longest wait for another unit that writes, as `database.acquire_timeout` is for a real database."""
PAGE_BYTES = 1024
"""Each table and each index takes a page at least, and the database is copied for each test and each transaction."""

registry.register("sqlite.memory", __name__, "MemoryDialect")
URL = make_url("sqlite+memory://")
_images: dict[tuple[Table, ...], bytes] = {}
"""Databases without rows, by their tables: copying one takes a tenth of the time that making the tables does."""


class MemoryDialect(SQLiteDialect_aiosqlite):
    """The dialect of one engine: what listens to its errors or measures its commits does so to no other database's.

    Those of all readers are equal, and those of all writers, so that databases share what SQLAlchemy has compiled: it
    is kept by dialect.
    """

    supports_statement_cache = True

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MemoryDialect) and other.skip_autocommit_rollback == self.skip_autocommit_rollback

    def __hash__(self) -> int:
        return hash(self.skip_autocommit_rollback)

    def alone(self) -> "MemoryDialect":
        """Return one like it, to which nobody listens."""
        one = copy(self)
        vars(one).pop("dispatch", None)
        return one


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
    def engines(self) -> Engines:
        """What a container gives as its engines, which it would otherwise make for the database of the settings."""
        return self._engines

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
    reader, writer = _engine(Reader, memory, MOST_READERS), _engine(Writer, memory, 1)
    event.listen(writer.sync_engine, "begin", lambda _connection: memory.begin())
    return Engines(reader, writer, migrator=writer)


def _engine(kind: type[Reader], memory: Memory, pool_size: int) -> AsyncEngine:
    met, compiled = _shared(writes=kind is Writer)
    dialect = met.alone()
    connect: Callable[[], Any] = lambda: MemoryConnection(kind(memory))  # noqa: E731 - SQLAlchemy wants its own type.
    pool = AsyncAdaptedQueuePool(
        connect,
        pool_size=pool_size,
        max_overflow=0,
        timeout=PATIENCE_SECONDS,
        dialect=dialect,
    )
    set_up = dialect.on_connect()
    event.listen(pool, "connect", lambda connection, _record: set_up(connection))
    event.listen(pool, "connect", sqlite.configure)
    options = {"compiled_cache": compiled}
    return AsyncEngine(Engine(pool, dialect, URL, hide_parameters=True, execution_options=options))


@cache
def _shared(*, writes: bool) -> tuple[MemoryDialect, dict[Any, Any]]:
    """Return a dialect that has met a database, and what it compiles statements to.

    They serve all databases: to work it out for each would take a sixteenth of the time of a test through the client.
    """
    options: dict[str, Any] = {} if writes else {"isolation_level": "AUTOCOMMIT", "skip_autocommit_rollback": True}
    memory = Memory(_image_of(MetaData()))
    engine = create_engine(URL, creator=lambda: MemoryConnection(Reader(memory)), poolclass=NullPool, **options)
    meeting = greenlet_spawn(lambda: engine.connect().close())
    with suppress(StopIteration):
        while True:
            # It waits for nothing but its turn.
            meeting.send(None)
    return cast("MemoryDialect", engine.dialect), {}


def _image_of(metadata: MetaData) -> bytes:
    tables = tuple(metadata.tables.values())
    if tables not in _images:
        engine = create_engine("sqlite://", poolclass=StaticPool)
        event.listen(engine, "connect", sqlite.configure)
        with engine.connect() as connection:
            connection.exec_driver_sql(f"PRAGMA page_size={PAGE_BYTES}")
            # Without it, one that has no tables would have no bytes, which SQLite does not copy.
            connection.exec_driver_sql("PRAGMA user_version=1")
            metadata.create_all(connection)
            connection.commit()
            driver: Any = connection.connection.driver_connection
            _images[tables] = driver.serialize()
        engine.dispose()
    return _images[tables]
