"""How long the tables of accounts keep what has expired."""

from datetime import UTC, datetime, timedelta

import httpx
from support.databases import rows_of
from support.people import add_person, headers_of

from carboy.testing import ManualClock, MemoryDatabase, override
from containers import Container

NAMES = ("api_keys", "sessions", "session_tokens", "one_time_tokens", "audit_events")
BEFORE = {"api_keys": 2, "sessions": 0, "session_tokens": 0, "one_time_tokens": 0}
"""The keys of the tests' services, which expire never."""


async def test_what_has_expired_goes_when_its_time_has_come(
    client: httpx.AsyncClient, container: Container, database: MemoryDatabase
) -> None:
    clock = ManualClock(datetime.now(UTC))

    async def left(days: int = 0, *, minutes: int = 0) -> dict[str, int]:
        clock.now = datetime.now(UTC) + timedelta(days=days, minutes=minutes + 1)
        with override(container, clock=clock):
            container.sweeper.reset()
            await container.sweeper().sweep()
        return {name: len(await rows_of(database, name)) for name in NAMES if name != "audit_events"}

    await add_person(container)
    headers = await headers_of(client)
    key = {"name": "k", "expires_at": f"{datetime.now(UTC) + timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}"}
    assert (await client.post("/api/me/api-keys", json=key, headers=headers)).status_code == 201
    assert (await client.post("/api/auth/email-verification", headers=headers)).status_code == 200

    all_of_it = {"api_keys": 3, "sessions": 1, "session_tokens": 2, "one_time_tokens": 1}
    assert await left() == all_of_it
    assert await left(minutes=15) == all_of_it | {"session_tokens": 1}
    assert await left(8) == BEFORE | {"sessions": 1, "session_tokens": 1}
    assert await left(14) == BEFORE
    assert len(await rows_of(database, "audit_events")) > 3
    await left(364)
    assert len(await rows_of(database, "audit_events")) > 3
    await left(365)
    assert await rows_of(database, "audit_events") == []


async def test_a_session_that_is_used_goes_no_later_than_one_that_is_not(
    client: httpx.AsyncClient, container: Container, database: MemoryDatabase
) -> None:
    await add_person(container)
    await headers_of(client)
    [session] = await rows_of(database, "sessions")
    seen = {
        "row": session["id"],
        "seen_at": session["created_at"],
        "seen_until": session["expires_at"] + timedelta(days=1),
        "seen_address": None,
    }
    await database.write(lambda: container.session_dao().touch([seen]))
    [touched] = await rows_of(database, "sessions")
    assert touched["idle_expires_at"] == session["expires_at"]
