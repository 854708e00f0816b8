"""Makes each contender a database of its own, with the same rows, so that none meets another's locks."""

import asyncio
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import asyncpg
from pydantic import SecretStr
from sqlalchemy import bindparam, make_url, text

from bench.accounts import add_account
from bench.guide import run
from bench.jobs import USERS
from carboy.config.settings import DatabaseSettings
from carboy.db import Engines, create_engines, migrate
from carboy.models.moments import UtcDateTime
from carboy.models.numbers import Amount

POSTGRESQL_URL = os.environ.get("BENCH_POSTGRESQL_URL", "postgresql+asyncpg://postgres@127.0.0.1:5432/postgres")
"""A database of a server in which the benchmark may create others."""


@contextmanager
def databases(
    kind: str, names: list[str], folder: Path, users: int = USERS, *, invoices_of: Path | None = None
) -> Iterator[dict[str, str]]:
    """Yield the URL of a database for each name, and remove them at the end.

    Args:
        kind: "sqlite" or "postgresql".
        names: What the databases are for.
        folder: Where to put what is a file.
        users: How many rows to fill in.
        invoices_of: The project whose invoices to fill in too, one for each user.
    """

    def fill(url: str) -> None:
        asyncio.run(_fill(url, users))
        if invoices_of is not None:
            run(invoices_of, "flask", "db", "upgrade", CARBOY_DATABASE__URL=url)
            asyncio.run(_fill_invoices(url))

    make = _sqlite if kind == "sqlite" else _postgresql
    with make(names, folder, users, fill) as urls:
        yield urls


@contextmanager
def _sqlite(names: list[str], folder: Path, _users: int, fill: Callable[[str], None]) -> Iterator[dict[str, str]]:
    template = folder / "template.db"
    fill(f"sqlite+aiosqlite:///{template}")
    for name in names:
        shutil.copy(template, folder / f"{name}.db")
    yield {name: f"sqlite+aiosqlite:///{folder / name}.db" for name in names}


@contextmanager
def _postgresql(names: list[str], _folder: Path, users: int, fill: Callable[[str], None]) -> Iterator[dict[str, str]]:
    template = f"carboy_bench_{os.getpid()}_{users}_{'_'.join(names)[:20].lower()}"
    owned = [template, *(f"{template}_{name}" for name in names)]
    url = make_url(POSTGRESQL_URL)
    try:
        asyncio.run(_on_server(f"CREATE DATABASE {template}"))
        fill(url.set(database=template).render_as_string(hide_password=False))
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
        DatabaseSettings(
            url=SecretStr(url), pool_size=1, acquire_timeout=10.0, statement_timeout=600.0, require_migrated=True
        )
    )


SYLLABLES = "".join(consonant + vowel for consonant in "bcdfghklmnprstvz" for vowel in "aeio")
STEP = 7919
"""A prime, so that people with one surname are not neighbours."""
SURNAME, FIRST_NAME = range(3), range(3, 5)
"""The syllables of a user's names: a million users have 262,144 surnames."""


def surname_of(user: int) -> str:
    """Return the surname of the user with an id."""
    return "".join(SYLLABLES[2 * (user * STEP // 64**place % 64) :][:2] for place in SURNAME)


def _sql_of(places: range) -> str:
    parts = (f"CAST(1 + 2 * (i * {STEP} / {64**place} % 64) AS integer)" for place in places)
    return " || ".join(f"substr('{SYLLABLES}', {part}, 2)" for part in parts)


FILL = f"""
INSERT INTO users
    (username, username_key, email, email_key, full_name, full_name_key, active, created_at, updated_at, version)
WITH RECURSIVE numbers(i) AS (SELECT CAST(1 AS bigint) UNION ALL SELECT i + 1 FROM numbers WHERE i < :users),
people(i, name) AS (SELECT i, {_sql_of(FIRST_NAME)} || ' ' || {_sql_of(SURNAME)} FROM numbers)
SELECT 'user' || i, 'user' || i, 'user' || i || '@example.com', 'user' || i || '@example.com', name, name,
       true, :now, :now, 1
FROM people
"""


async def _fill(url: str, users: int) -> None:
    await migrate.run(_engines(url), "app", migrate.upgrade, "head")
    engines = _engines(url)
    now = bindparam("now", datetime.now(UTC), type_=UtcDateTime())
    async with engines.writer.begin() as connection:
        await connection.execute(text(FILL).bindparams(now), {"users": users})
        await add_account(connection)
    async with engines.reader.connect() as connection:
        if engines.reader.dialect.name == "postgresql":
            await connection.execute(text("VACUUM ANALYZE users"))
    await engines.dispose()


FILL_INVOICES = """
INSERT INTO invoice_tags (name, created_at, updated_at, version) VALUES ('blue', :now, :now, 1), ('red', :now, :now, 1);
INSERT INTO invoices (number, owner_id, amount, due_on, quantity, status, remind_at, created_at, updated_at, version)
SELECT 'invoice' || id, id, :amount, '2026-12-24', 3, 'sent', :now, :now, :now, 1 FROM users;
INSERT INTO invoice_lines (invoice_id, position, text, price, created_at, updated_at, version)
SELECT id, 0, 'A thing', :amount, :now, :now, 1 FROM invoices;
INSERT INTO tagged_invoices (invoices_id, invoice_tags_id)
SELECT invoices.id, invoice_tags.id FROM invoices, invoice_tags
"""


async def _fill_invoices(url: str) -> None:
    engines = _engines(url)
    now = bindparam("now", datetime.now(UTC), type_=UtcDateTime())
    amount = bindparam("amount", Decimal("12.50"), type_=Amount(14, 2))
    async with engines.writer.begin() as connection:
        for statement in FILL_INVOICES.split(";"):
            used = [one for name, one in (("now", now), ("amount", amount)) if f":{name}" in statement]
            await connection.execute(text(statement).bindparams(*used))
    await engines.dispose()
