"""Opens connections so that none is left half open."""

import asyncio
from typing import Any

from sqlalchemy.engine import Dialect
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.util import await_only, greenlet_spawn


def connect(dialect: Dialect, args: tuple[Any, ...], options: dict[str, Any]) -> DBAPIConnection:
    """Open a connection. When whoever wants it is cancelled meanwhile, it is opened to the end and closed then.

    The drivers leave a thread or a socket behind when they are interrupted in this (aiosqlite issue 259).
    """
    return await_only(_connect(dialect, args, options))


async def _connect(dialect: Dialect, args: tuple[Any, ...], options: dict[str, Any]) -> DBAPIConnection:
    def close(opening: asyncio.Future[DBAPIConnection]) -> None:
        if not opening.cancelled() and opening.exception() is None:
            dialect.do_terminate(opening.result())

    opening = asyncio.ensure_future(greenlet_spawn(dialect.connect, *args, **options))
    try:
        return await asyncio.shield(opening)
    except asyncio.CancelledError:
        opening.add_done_callback(close)
        raise
