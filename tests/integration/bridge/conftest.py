import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

POSTGRESQL = os.environ.get("CARBOY_TEST_POSTGRESQL_URL", "postgresql+asyncpg://postgres@127.0.0.1:5432/test")


@pytest.fixture(params=["sqlite", "postgresql"])
async def engine(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    """An engine with two connections and no more, on each database."""
    url = f"sqlite+aiosqlite:///{tmp_path}/test.db" if request.param == "sqlite" else POSTGRESQL
    engine = create_async_engine(url, pool_size=2, max_overflow=0, pool_timeout=30)
    try:
        async with engine.begin() as connection:
            await connection.execute(text("DROP TABLE IF EXISTS bridge_test_words"))
            await connection.execute(text("CREATE TABLE bridge_test_words (number INTEGER PRIMARY KEY, word TEXT)"))
    except (OSError, DBAPIError) as error:
        await engine.dispose()
        if request.param == "postgresql":
            pytest.skip(f"NO POSTGRESQL: set CARBOY_TEST_POSTGRESQL_URL to one that can be reached ({error})")
        raise
    try:
        yield engine
    finally:
        async with engine.begin() as connection:
            await connection.execute(text("DROP TABLE bridge_test_words"))
        await engine.dispose()
