"""Fixtures of the tests of PgQueuer: each has a database of its own, with PgQueuer's tables."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from pgqueuer import Queries
from support.databases import new_postgresql_database, why_unreachable
from support.pgqueuer import Script, opened


async def install(url: str) -> None:
    async with opened(url) as queries:
        await queries.install()


@pytest.fixture
def url() -> Iterator[str]:
    if reason := why_unreachable():
        pytest.fail(f"PostgreSQL cannot be reached: {reason}")
    with new_postgresql_database() as url:
        asyncio.run(install(url))
        yield url


@pytest_asyncio.fixture
async def queries(url: str) -> AsyncIterator[Queries]:
    """What enqueues, and looks at the tables."""
    async with opened(url) as queries:
        yield queries


@pytest.fixture
def script() -> Script:
    return Script()
