import asyncio
import gc
from collections.abc import AsyncIterator
from typing import Any

import pytest
from flask import Flask
from support.threads import Threads, note_threads

from carboy.bridge import FlaskASGI


@pytest.fixture(autouse=True)
async def nothing_goes_unheard() -> AsyncIterator[None]:
    """Fail when asyncio has to report what nobody asked for: lost exceptions, destroyed tasks."""
    heard: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: heard.append(context))
    yield
    # The young generations hold what the test has made; going through all the rest takes far longer.
    gc.collect(1)
    await asyncio.sleep(0)
    assert heard == []


@pytest.fixture
def app() -> Flask:
    return Flask("bridge_tests", static_folder=None)


@pytest.fixture
def asgi(app: Flask) -> FlaskASGI:
    return FlaskASGI(app)


@pytest.fixture
def threads(app: Flask) -> Threads:
    """On which thread each part of a request runs; there are views at /sync and /async."""
    return note_threads(app)
