"""A schema that changes while the application serves costs no client an error."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio
from sqlalchemy import text
from support.databases import database_settings

from carboy.db import Database, Engines, create_engines, create_session_factory

READ = text("SELECT id, mood FROM moods WHERE mood = 'calm'")
WRITE = text("INSERT INTO moods (mood) VALUES (:mood) RETURNING mood")

Run = Callable[[str], Awaitable[None]]

CHANGES = {
    "an enum is replaced": [
        "ALTER TYPE mood RENAME TO old_mood",
        "CREATE TYPE mood AS ENUM ('calm', 'glad', 'sad')",
        "ALTER TABLE moods ALTER mood TYPE mood USING mood::text::mood",
        "DROP TYPE old_mood",
    ],
    "an enum is extended": ["ALTER TYPE mood ADD VALUE 'sad'"],
    "a column is added": ["ALTER TABLE moods ADD more integer"],
    "a column becomes text": ["ALTER TABLE moods ALTER mood TYPE text"],
    "a column becomes wider": ["ALTER TABLE moods ALTER id TYPE bigint"],
    "the table is replaced": [
        "ALTER TABLE moods RENAME TO old_moods",
        "CREATE TABLE moods (id serial PRIMARY KEY, mood mood)",
        "INSERT INTO moods (mood) SELECT mood FROM old_moods",
        "DROP TABLE old_moods CASCADE",
    ],
    "all is made anew": [
        "DROP TABLE moods",
        "DROP TYPE mood",
        "CREATE TYPE mood AS ENUM ('calm', 'glad')",
        "CREATE TABLE moods (id serial PRIMARY KEY, mood mood)",
        "INSERT INTO moods (mood) VALUES ('calm'), ('glad')",
    ],
}


@pytest_asyncio.fixture
async def engines(postgresql_url: str) -> AsyncIterator[Engines]:
    engines = create_engines(database_settings(postgresql_url, pool_size=1))
    yield engines
    await engines.dispose()


@pytest_asyncio.fixture
async def run(engines: Engines) -> AsyncIterator[Run]:
    """Run a statement as another process would."""

    async def run(statement: str) -> None:
        async with engines.migrator.begin() as connection:
            await connection.execute(text(statement))

    for statement in CHANGES["all is made anew"][2:]:
        await run(statement)
    yield run
    for statement in ("DROP TABLE moods", "DROP TYPE IF EXISTS mood"):
        await run(statement)


@pytest.mark.parametrize("statements", CHANGES.values(), ids=CHANGES.keys())
async def test_statements_go_on_after_a_change_of_the_schema(engines: Engines, run: Run, statements: list[str]) -> None:
    database = Database(engines, create_session_factory())

    async def read() -> None:
        assert len(await database.read(lambda: database.execute(READ))) == 1

    async def write() -> None:
        await database.write(lambda: database.execute(WRITE, {"mood": "glad"}, writes=True))

    async def read_within() -> None:
        assert len(await database.write(lambda: database.execute(READ))) == 1

    for step in (read, write, read_within):
        await step()
    for statement in statements:
        await run(statement)
    for step in (write, read, read_within, write, read):
        await step()
