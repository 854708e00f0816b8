"""Makes the engines for the configured database: one reads without transactions, one writes in them, one migrates."""

from dataclasses import dataclass
from functools import cached_property

from sqlalchemy import Engine
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.util import greenlet_spawn

from carboy.config.database_urls import parse_url
from carboy.config.settings import DatabaseSettings
from carboy.db import connecting, postgresql, sqlite
from carboy.db.connection_cache import Connections


@dataclass(frozen=True)
class Engines:
    """Three views of one database.

    Attributes:
        reader: Runs each statement by itself (AUTOCOMMIT), without BEGIN and ROLLBACK.
        writer: Runs statements in transactions.
        migrator: The same without a time limit, for migrations.
    """

    reader: AsyncEngine
    writer: AsyncEngine
    migrator: AsyncEngine

    @cached_property
    def connections(self) -> Connections:
        """The connections of reader and writer."""
        return Connections(self.reader.sync_engine, self.writer.sync_engine)

    @property
    def sources(self) -> list[Engine]:
        """The engines whose events tell of each statement once: a reader with the writer's pool has its events too."""
        reader, writer = self.reader.sync_engine, self.writer.sync_engine
        return [writer] if reader.pool is writer.pool else [reader, writer]

    async def dispose(self) -> None:
        """Close all connections. An open one would prevent the process from ending (aiosqlite issue 369)."""
        await greenlet_spawn(self.connections.close_idle)
        await self.reader.dispose()
        await self.writer.dispose()
        await self.migrator.dispose()
        await connecting.all_closed()


def create_engines(settings: DatabaseSettings) -> Engines:
    """Make the engines of the database that the URL names; nothing connects before the first statement."""
    url, arguments = parse_url(settings.url.get_secret_value())
    if url.get_backend_name() == "sqlite":
        return Engines(*sqlite.create_engines(url, settings))
    return Engines(*postgresql.create_engines(url, arguments, settings))
