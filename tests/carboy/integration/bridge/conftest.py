from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    """An engine with two connections and no more, on each database."""
    engine = create_async_engine(database_url, pool_size=2, max_overflow=0, pool_timeout=30)
    async with engine.begin() as connection:
        await connection.execute(text("CREATE TABLE bridge_test_words (number INTEGER PRIMARY KEY, word TEXT)"))
    yield engine
    async with engine.begin() as connection:
        await connection.execute(text("DROP TABLE bridge_test_words"))
    await engine.dispose()
