"""A pytest plug-in: ``pytest_plugins = ["carboy.testing.fixtures"]`` in the project's conftest.

The conftest defines the fixtures ``container`` and ``create_app``, as only the project knows its composition root and
its application factory; the container is given the fixture ``database``::

    @pytest.fixture
    def container(settings: Settings, database: MemoryDatabase) -> Iterator[Container]:
        container = Container()
        with override(container, settings=settings, engines=database.engines, database=database):
            yield container
"""

import gc
from collections.abc import AsyncIterator, Callable, Iterator, Mapping

import httpx
import pytest
import pytest_asyncio
from dependency_injector.containers import Container
from flask import Flask

from carboy.di.wiring import unwire
from carboy.server import create_asgi
from carboy.testing.client import client_of
from carboy.testing.database import MemoryDatabase


def pytest_collection_finish() -> None:
    """Keep what was imported out of garbage collections, which would take a fifth of the time of the tests."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def database() -> MemoryDatabase:
    """A database of the test's own, in memory, with empty tables."""
    return MemoryDatabase()


@pytest.fixture
def app(container: Container, create_app: Callable[[Container], Flask]) -> Iterator[Flask]:
    """The application of the fixture ``container``, unwired at the end so that the next test can wire its own."""
    yield create_app(container)
    unwire(container)


@pytest.fixture
def client_headers() -> Mapping[str, str]:
    """What each request of the fixture ``client`` has; a project that guards its API names a token here."""
    return {}


@pytest_asyncio.fixture
async def client(
    container: Container, app: Flask, client_headers: Mapping[str, str]
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the fixture ``app``, started and stopped as under a server."""
    async with client_of(create_asgi(container, app), client_headers) as client:
        yield client
