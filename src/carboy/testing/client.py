"""Talks to an application without a server, on the test's own event loop."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, cast

import httpx

from carboy.bridge import FlaskASGI

BASE_URL = "http://testserver"


@asynccontextmanager
async def client_of(asgi: FlaskASGI, headers: Mapping[str, str] | None = None) -> AsyncIterator[httpx.AsyncClient]:
    """Start an application as a server would, and yield a client of it.

    Args:
        asgi: The application.
        headers: What each request is to have, such as a token.

    Raises:
        RuntimeError: The application failed to start or to stop.
    """
    # httpx types messages as any mapping, where asgiref names each.
    transport = httpx.ASGITransport(cast("Any", asgi))
    async with _lifespan(asgi), httpx.AsyncClient(transport=transport, base_url=BASE_URL, headers=headers) as client:
        yield client


@asynccontextmanager
async def _lifespan(asgi: FlaskASGI) -> AsyncIterator[None]:
    to_app: asyncio.Queue[Any] = asyncio.Queue()
    from_app: asyncio.Queue[Any] = asyncio.Queue()

    async def say(event: str) -> None:
        await to_app.put({"type": f"lifespan.{event}"})
        message = await from_app.get()
        if message["type"] != f"lifespan.{event}.complete":
            raise RuntimeError(f"The application failed at {event}: {message.get('message')}")

    task = asyncio.create_task(
        asgi({"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}}, to_app.get, from_app.put)
    )
    try:
        await say("startup")
        yield
        await say("shutdown")
    finally:
        task.cancel()
        await asyncio.wait({task})
