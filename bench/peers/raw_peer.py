"""The limit: a bare ASGI application, the bare driver, statements that are built once, and msgspec for JSON."""

import asyncio
import os
import sqlite3
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any, Protocol
from urllib.parse import parse_qsl

import aiosqlite
import asyncpg
import msgspec

URL = os.environ["BENCH_DATABASE_URL"]
POOL_SIZE = int(os.environ["BENCH_POOL_SIZE"])
NAMES = ("id", "username", "email", "full_name", "active", "created_at", "updated_at", "version")
COLUMNS = ", ".join(NAMES)
SELECT_ONE = f"SELECT {COLUMNS} FROM users WHERE id = $1"
SELECT_PAGE = f"SELECT {COLUMNS} FROM users WHERE id > $1 ORDER BY id LIMIT $2"
UPDATE = f"UPDATE users SET full_name = $1, updated_at = $2, version = version + 1 WHERE id = $3 RETURNING {COLUMNS}"
INSERT = (
    "INSERT INTO users (username, username_key, email, email_key, full_name, active, created_at, updated_at, version)"
    f" VALUES ($1, $2, $3, $4, $5, $6, $7, $7, 1) RETURNING {COLUMNS}"
)
encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder().decode


class Store(Protocol):
    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def fetch(self, statement: str, *args: Any, writes: bool = False) -> list[dict[str, Any]]: ...


class SqliteStore:
    """Readers, and one writer; a statement is one trip to the connection's thread."""

    def __init__(self) -> None:
        self._readers: asyncio.Queue[aiosqlite.Connection] = asyncio.Queue()
        self._writer: asyncio.Queue[aiosqlite.Connection] = asyncio.Queue()

    async def open(self) -> None:
        for queue, size in ((self._readers, POOL_SIZE), (self._writer, 1)):
            for _ in range(size):
                connection = aiosqlite.connect(URL.partition(":///")[2], isolation_level=None, timeout=30)
                await connection
                for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
                    await connection.execute(f"PRAGMA {pragma}")
                queue.put_nowait(connection)

    async def close(self) -> None:
        for queue in (self._readers, self._writer):
            while not queue.empty():
                await queue.get_nowait().close()

    async def fetch(self, statement: str, *args: Any, writes: bool = False) -> list[dict[str, Any]]:
        queue = self._writer if writes else self._readers
        connection = await queue.get()
        try:
            rows = await connection._execute(partial(_fetch, connection._conn, statement, args))  # type: ignore[no-untyped-call]  # noqa: SLF001 - one trip.
        finally:
            queue.put_nowait(connection)
        return [
            dict(zip(NAMES, (*row[:4], bool(row[4]), _moment(row[5]), _moment(row[6]), row[7]), strict=True))
            for row in rows
        ]


def _fetch(connection: sqlite3.Connection, statement: str, args: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    named = {
        str(index): value.replace(tzinfo=None).isoformat(" ") if isinstance(value, datetime) else value
        for index, value in enumerate(args, 1)
    }
    return connection.execute(statement, named).fetchall()


def _moment(text: str) -> str:
    return text.replace(" ", "T") + "Z"


class _Connection(asyncpg.Connection):
    """Is given back as it is: its statements leave nothing behind that would have to be reset."""

    def get_reset_query(self) -> str:
        return ""


class PostgresStore:
    """asyncpg's own pool and cache of prepared statements; a statement is one round trip."""

    async def open(self) -> None:
        dsn = URL.replace("+asyncpg", "")
        self._pool = await asyncpg.create_pool(
            dsn, min_size=POOL_SIZE, max_size=POOL_SIZE, connection_class=_Connection
        )

    async def close(self) -> None:
        await self._pool.close()

    async def fetch(self, statement: str, *args: Any, writes: bool = False) -> list[dict[str, Any]]:  # noqa: ARG002 - one pool serves both.
        return [dict(row) for row in await self._pool.fetch(statement, *args)]


store: Store = SqliteStore() if URL.startswith("sqlite") else PostgresStore()
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


async def read_body(receive: Receive) -> Any:
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return decode(body)


async def serve(scope: dict[str, Any], receive: Receive) -> tuple[int, object]:
    path, method = scope["path"], scope["method"]
    if path == "/health/live":
        return 200, {"status": "ok", "checks": {}}
    if path == "/api/users" and method == "GET":
        query = dict(parse_qsl(scope["query_string"].decode()))
        limit = int(query.get("limit", 50))
        rows = await store.fetch(SELECT_PAGE, int(query.get("cursor", 0)), limit + 1)
        more = len(rows) > limit
        cursor = str(rows[limit - 1]["id"]) if more else None
        return 200, {"items": rows[:limit], "next_cursor": cursor, "previous_cursor": None, "total": None}
    now = datetime.now(UTC)
    if path == "/api/users":
        new = await read_body(receive)
        name, email = new["username"], new["email"].lower()
        values = (name, name.casefold(), email, email, new.get("full_name"), new.get("active", True), now)
        return 201, (await store.fetch(INSERT, *values, writes=True))[0]
    user_id = int(path.removeprefix("/api/users/"))
    if method == "PATCH":
        change = await read_body(receive)
        rows = await store.fetch(UPDATE, change["full_name"], now, user_id, writes=True)
    else:
        rows = await store.fetch(SELECT_ONE, user_id)
    return (200, rows[0]) if rows else (404, {})


async def app(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        await receive()
        await store.open()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await store.close()
        await send({"type": "lifespan.shutdown.complete"})
        return
    status, content = await serve(scope, receive)
    body = encode(content)
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
