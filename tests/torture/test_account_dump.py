"""1,000 people log in, make keys and reset their passwords: nothing of that can be read or used by a thief."""

import secrets
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text
from support.databases import database_settings
from support.stolen import live, logging_to, replay, shown_in, stored_bytes, stored_values

from app.settings import Settings
from carboy.security.tokens import digest_of
from carboy.testing import override
from containers import Container

PEOPLE = 1000
JOURNAL = "SELECT pg_read_binary_file('pg_wal/' || name) FROM pg_ls_waldir() WHERE modification >= :since"


@pytest.fixture
def container(loaded_settings: Settings, database_url: str) -> Iterator[Container]:
    container = Container()
    changes = {
        "database": database_settings(database_url),
        "logging": loaded_settings.logging.model_copy(update={"level": "DEBUG"}),
        "limits": loaded_settings.limits.model_copy(update={"enabled": False}),
    }
    with override(container, settings=loaded_settings.model_copy(update=changes)):
        yield container


async def journal_of(container: Container, since: object) -> bytes:
    """Return what PostgreSQL's write-ahead log got since a moment; SQLite's is among the stored bytes."""
    database = container.database()
    if since is None:
        return b""
    rows = await database.read(partial(database.execute, text(JOURNAL), {"since": since}))
    return b"".join(bytes(row[0]) for row in rows)


async def now(container: Container) -> object:
    database = container.database()
    if container.engines().writer.url.get_backend_name() == "sqlite":
        return None
    [(moment,)] = await database.read(partial(database.execute, text("SELECT now()")))
    return moment


def password() -> str:
    return f"{secrets.token_urlsafe(16)} otters juggle"


@pytest.mark.timeout(3600)
async def test_whoever_steals_the_database_and_the_logs_can_use_nothing_of_it(
    client: httpx.AsyncClient, container: Container, tmp_path: Path, tell: Callable[[str], None]
) -> None:
    began, since, issued = time.perf_counter(), await now(container), list[str]()
    with logging_to(tmp_path / "log"):
        for number in range(PEOPLE):
            issued += await live(client, container, f"person{number}", password(), password())
    tell(f"{PEOPLE} people: {len(issued)} secrets issued in {time.perf_counter() - began:.0f} s")
    stored, logged = await stored_bytes(container), (tmp_path / "log").read_bytes()
    journal = await journal_of(container, since)
    assert shown_in(stored, [digest_of(issued[-3])]) != []
    shown = [shown_in(dump, issued) for dump in (stored, logged, journal)]
    sizes = [round(len(dump) / 1e6, 1) for dump in (stored, logged, journal)]
    tell(f"MB of database, log and journal: {sizes}; secrets shown in them: {[*map(len, shown)]}")
    assert shown == [[], [], []]
    values, statuses = {value for value in await stored_values(container) if len(value) > 20}, set[int]()
    for value in values:
        statuses |= await replay(client, value)
    tell(f"{len(values)} stored values replayed at 4 routes each: {sorted(statuses)}")
    assert statuses <= {400, 401, 422}
