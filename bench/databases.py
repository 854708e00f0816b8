"""Makes each contender a database of its own, with the same rows, so that none meets another's locks."""

import asyncio
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
from pydantic import SecretStr
from sqlalchemy import bindparam, make_url, text

from bench.jobs import USERS
from carboy.config.settings import DatabaseSettings
from carboy.db import Engines, create_engines, migrate
from carboy.models.moments import UtcDateTime

POSTGRESQL_URL = os.environ.get("BENCH_POSTGRESQL_URL", "postgresql+asyncpg://postgres@127.0.0.1:5432/postgres")
"""A database of a server in which the benchmark may create others."""


@contextmanager
def databases(kind: str, names: list[str], folder: Path, users: int = USERS) -> Iterator[dict[str, str]]:
    """Yield the URL of a database for each name, and remove them at the end."""
    make = _sqlite if kind == "sqlite" else _postgresql
    with make(names, folder, users) as urls:
        yield urls


@contextmanager
def _sqlite(names: list[str], folder: Path, users: int) -> Iterator[dict[str, str]]:
    template = folder / "template.db"
    asyncio.run(_fill(f"sqlite+aiosqlite:///{template}", users))
    for name in names:
        shutil.copy(template, folder / f"{name}.db")
    yield {name: f"sqlite+aiosqlite:///{folder / name}.db" for name in names}


@contextmanager
def _postgresql(names: list[str], _folder: Path, users: int) -> Iterator[dict[str, str]]:
    template = f"carboy_bench_{os.getpid()}_{users}_{'_'.join(names)[:20].lower()}"
    owned = [template, *(f"{template}_{name}" for name in names)]
    url = make_url(POSTGRESQL_URL)
    try:
        asyncio.run(_on_server(f"CREATE DATABASE {template}"))
        asyncio.run(_fill(url.set(database=template).render_as_string(hide_password=False), users))
        for name in owned[1:]:
            asyncio.run(_on_server(f"CREATE DATABASE {name} TEMPLATE {template}"))
        yield {name: url.set(database=f"{template}_{name}").render_as_string(hide_password=False) for name in names}
    finally:
        for name in owned:
            asyncio.run(_on_server(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))


async def _on_server(statement: str) -> None:
    dsn = make_url(POSTGRESQL_URL).set(drivername="postgresql").render_as_string(hide_password=False)
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def _engines(url: str) -> Engines:
    return create_engines(
        DatabaseSettings(url=SecretStr(url), pool_size=1, acquire_timeout=10.0, statement_timeout=600.0)
    )


FILL = """
INSERT INTO users
    (username, username_key, email, email_key, full_name, full_name_key, active, created_at, updated_at, version)
WITH RECURSIVE numbers(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM numbers WHERE i < :users)
SELECT 'user' || i, 'user' || i, 'user' || i || '@example.com', 'user' || i || '@example.com', 'User Number ' || i,
       'user number ' || i, true, :now, :now, 1
FROM numbers
"""


async def _fill(url: str, users: int) -> None:
    await migrate.run(_engines(url), "app", migrate.upgrade, "head")
    engines = _engines(url)
    now = bindparam("now", datetime.now(UTC), type_=UtcDateTime())
    async with engines.writer.begin() as connection:
        await connection.execute(text(FILL).bindparams(now), {"users": users})
    async with engines.reader.connect() as connection:
        if engines.reader.dialect.name == "postgresql":
            await connection.execute(text("VACUUM ANALYZE users"))
    await engines.dispose()
