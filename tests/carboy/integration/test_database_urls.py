"""What stands in a URL of PostgreSQL is in force on the connection."""

import time
from collections.abc import Callable

import certifi
import pytest
from sqlalchemy import text
from support.databases import HURRIED, database_settings
from support.proxy import Proxy

from carboy.db import Database, create_engines, create_session_factory
from carboy.errors import DatabaseUnavailableError

WithQuery = Callable[[str], str]


@pytest.fixture
def with_query(postgresql_url: str) -> WithQuery:
    """Return a function that adds a query to the URL of the database, which then names no driver."""
    plain = postgresql_url.replace("postgresql+asyncpg://", "postgres://")
    return lambda query: f"{plain}?{query}"


async def ask(url: str, *statements: str) -> list[str]:
    """Run statements on one connection, and return the first value of each row of the last one."""
    database = Database(create_engines(database_settings(url, acquire_timeout=HURRIED)), create_session_factory())

    async def step() -> list[str]:
        session = await database.session()
        found: list[str] = []
        for statement in statements:
            found = [str(value) for value in (await session.execute(text(statement))).scalars()]
        return found

    try:
        return await database.write(step)
    finally:
        await database.close()


@pytest.mark.parametrize(
    ("query", "setting", "value"),
    [
        ("application_name=shop", "application_name", "shop"),
        ("application_name=shop&options=-c%20work_mem%3D8MB", "work_mem", "8MB"),
        ("target_session_attrs=read-write&connect_timeout=5", "transaction_read_only", "off"),
    ],
)
async def test_a_setting_in_the_url_is_in_force(with_query: WithQuery, query: str, setting: str, value: str) -> None:
    assert await ask(with_query(query), f"SHOW {setting}") == [value]


@pytest.mark.parametrize(
    "query",
    ["sslmode=disable", "sslmode=prefer&channel_binding=prefer", f"sslmode=prefer&sslrootcert={certifi.where()}"],
)
async def test_a_mode_of_encryption_that_the_server_can_do_connects(with_query: WithQuery, query: str) -> None:
    assert await ask(with_query(query), "SELECT 1") == ["1"]


@pytest.mark.parametrize("query", ["sslmode=require", "sslrootcert=system"])
async def test_without_encryption_there_is_no_connection_where_it_is_required(
    with_query: WithQuery, query: str
) -> None:
    if await ask(with_query(""), "SHOW ssl") == ["on"]:
        pytest.skip("This server encrypts.")
    with pytest.raises(DatabaseUnavailableError) as raised:
        await ask(with_query(query), "SELECT 1")
    assert "SSL" in str(raised.value.__cause__)


async def test_without_a_statement_cache_no_statement_is_kept(with_query: WithQuery) -> None:
    kept = "SELECT count(*) FROM pg_prepared_statements WHERE statement = 'SELECT 1'"
    assert await ask(with_query("statement_cache_size=10"), "SELECT 1", kept) == ["1"]
    assert await ask(with_query("statement_cache_size=0"), "SELECT 1", kept) == ["0"]
    names = "SELECT name FROM pg_prepared_statements"
    [name] = await ask(with_query("statement_cache_size=0"), "SELECT 1", names)
    assert name.startswith("__carboy_")


async def test_of_several_hosts_the_next_one_is_asked(postgresql_url: str) -> None:
    before, _, after = postgresql_url.replace("postgresql+asyncpg://", "postgres://").partition("@")
    assert await ask(f"{before}@127.0.0.1:1,{after}", "SELECT 1") == ["1"]


@pytest.mark.alone
async def test_a_connection_may_take_as_long_as_the_url_says(proxy: Proxy) -> None:
    proxy.is_silent = True
    began = time.monotonic()
    with pytest.raises(DatabaseUnavailableError):
        await ask(f"{proxy.url}&connect_timeout=1", "SELECT 1")
    assert time.monotonic() - began > 0.9 > HURRIED
