"""Who comes in, and who is told nothing."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from support.people import OTHER, PASSWORD, add_person, bearer, headers_of, log_in, tokens_of

from carboy.testing import MemoryDatabase
from containers import Container

NOBODY = {"Authorization": ""}


async def refresh(client: httpx.AsyncClient, token: str) -> httpx.Response:
    return await client.post("/api/auth/refresh", json={"refresh_token": token}, headers=NOBODY)


async def change_rows(database: MemoryDatabase, statement: str, **values: Any) -> None:
    await database.write(lambda: database.execute(text(statement), values, writes=True))


@pytest.mark.parametrize("name", ["ada", "ADA", "ada@example.org", "Ada@EXAMPLE.org"])
async def test_a_person_logs_in_by_name_or_address(client: httpx.AsyncClient, container: Container, name: str) -> None:
    account_id = await add_person(container)
    answer = await log_in(client, name)
    assert answer.headers["Cache-Control"] == "no-store"
    me = await client.get("/api/me", headers=bearer(answer.json()))
    assert me.json()["account_id"] == account_id
    assert me.json()["permissions"] == ["me:read", "me:write"]


async def test_a_wrong_name_or_password_and_a_disabled_account_are_answered_alike(
    client: httpx.AsyncClient, container: Container
) -> None:
    hasher = container.password_hasher()
    await add_person(container)
    await add_person(container, "bob", password=None)
    await add_person(container, "cem")
    await client.patch("/api/users/3", json={"active": False})
    answers = []
    for name, password in (("ada", OTHER), ("nobody", PASSWORD), ("bob", PASSWORD), ("cem", PASSWORD), ("cem", OTHER)):
        before = hasher.count
        answer = await log_in(client, name, password)
        assert hasher.count == before + 1
        body = {key: value for key, value in answer.json().items() if key != "request_id"}
        headers = {
            key: value
            for key, value in answer.headers.items()
            if key not in {"x-request-id", "ratelimit", "ratelimit-policy"}
        }
        answers.append((answer.status_code, body, headers))
    assert answers[0][0] == 401
    assert answers == [answers[0]] * 5


async def test_logging_out_ends_the_session_at_once(client: httpx.AsyncClient, container: Container) -> None:
    await add_person(container)
    tokens = await tokens_of(client)
    answer = await client.post("/api/auth/logout", headers=bearer(tokens))
    assert (answer.status_code, answer.headers["Clear-Site-Data"]) == (204, '"cache", "cookies", "storage"')
    assert (await client.get("/api/me", headers=bearer(tokens))).status_code == 401
    assert (await refresh(client, tokens["refresh_token"])).status_code == 401


@pytest.mark.parametrize("column", ["idle_expires_at", "expires_at"])
async def test_a_session_ends_when_it_was_idle_or_has_lasted_too_long(
    client: httpx.AsyncClient, container: Container, database: MemoryDatabase, column: str
) -> None:
    await add_person(container)
    headers = await headers_of(client)
    await change_rows(database, f"UPDATE sessions SET {column} = :past", past="2026-01-01 00:00:00")  # noqa: S608 - a constant.
    assert (await client.get("/api/me", headers=headers)).status_code == 401


async def test_a_disabled_user_is_out_at_once(client: httpx.AsyncClient, container: Container) -> None:
    await add_person(container)
    headers = await headers_of(client)
    assert (await client.patch("/api/users/1", json={"active": False})).status_code == 200
    assert (await client.get("/api/me", headers=headers)).status_code == 401


async def test_a_refresh_token_works_once_and_its_theft_ends_the_session(
    client: httpx.AsyncClient, container: Container, database: MemoryDatabase
) -> None:
    await add_person(container)
    first = await tokens_of(client)
    second = (await refresh(client, first["refresh_token"])).json()
    assert (await client.get("/api/me", headers=bearer(second))).status_code == 200
    third = (await refresh(client, second["refresh_token"])).json()
    # The successor has been used, so that this is nobody's second request.
    stolen = await refresh(client, first["refresh_token"])
    assert (stolen.status_code, stolen.json()["code"]) == (401, "invalid_refresh_token")
    for tokens in (first, second, third):
        assert (await client.get("/api/me", headers=bearer(tokens))).status_code == 401
        assert (await refresh(client, tokens["refresh_token"])).status_code == 401
    events = (await client.get("/api/audit-events?event=session.refresh_token_replayed")).json()["items"]
    assert len(events) == 1


async def test_a_replay_after_the_grace_ends_the_session(
    client: httpx.AsyncClient, container: Container, database: MemoryDatabase
) -> None:
    await add_person(container)
    first = await tokens_of(client)
    second = (await refresh(client, first["refresh_token"])).json()
    earlier = (datetime.now(UTC) - timedelta(seconds=6)).strftime("%Y-%m-%d %H:%M:%S")
    await change_rows(
        database, "UPDATE session_tokens SET consumed_at = :earlier WHERE consumed_at IS NOT NULL", earlier=earlier
    )
    assert (await refresh(client, first["refresh_token"])).status_code == 401
    assert (await client.get("/api/me", headers=bearer(second))).status_code == 401


async def test_of_twenty_refreshes_at_once_the_session_survives(
    client: httpx.AsyncClient, container: Container
) -> None:
    await add_person(container)
    token = (await tokens_of(client))["refresh_token"]
    answers = await asyncio.gather(*(refresh(client, token) for _ in range(20)))
    assert {answer.status_code for answer in answers} == {200}
    assert (await client.get("/api/me", headers=bearer(answers[7].json()))).status_code == 200
    # A brother that was kept by somebody else is noticed once another has been used.
    following = await refresh(client, answers[3].json()["refresh_token"])
    assert following.status_code == 200


async def test_scopes_take_permissions_away_and_add_none(client: httpx.AsyncClient, container: Container) -> None:
    await add_person(container, is_administrator=True)
    reading = await headers_of(client, scopes=["users:read"])
    assert (await client.get("/api/users", headers=reading)).status_code == 200
    refused = await client.post("/api/users", json={}, headers=reading)
    assert (refused.status_code, refused.json()["code"]) == (403, "insufficient_scope")
    assert 'scope="users:write"' in refused.headers["WWW-Authenticate"]
    assert (await client.get("/api/me", headers=reading)).status_code == 403
    await add_person(container, "bob")
    more = await headers_of(client, "bob", scopes=["users:read"])
    assert (await client.get("/api/users", headers=more)).json()["code"] == "forbidden"


@pytest.mark.parametrize("token", ["", "x", "carboy_access_" + "0" * 49])
async def test_a_malformed_token_is_401_without_a_look_at_the_database(
    client: httpx.AsyncClient, database: MemoryDatabase, token: str
) -> None:
    database.is_reachable = False
    answer = await client.get("/api/me", headers={"Authorization": f"Bearer {token}"})
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_token")
    assert answer.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'


async def test_guesses_of_a_password_are_bounded_for_known_and_unknown_names_alike(
    client: httpx.AsyncClient, container: Container
) -> None:
    hasher = container.password_hasher()
    await add_person(container)
    for name in ("ada", "nobody"):
        before = hasher.count
        statuses = [(await log_in(client, name, OTHER)).status_code for _ in range(12)]
        assert statuses == [401] * 10 + [429] * 2
        assert hasher.count == before + 10
    assert (await log_in(client)).status_code == 429


async def test_a_login_that_was_long_ago_changes_no_factor(
    client: httpx.AsyncClient, container: Container, database: MemoryDatabase
) -> None:
    await add_person(container)
    headers = await headers_of(client)
    await change_rows(database, "UPDATE sessions SET authenticated_at = :past", past="2026-01-01 00:00:00")
    for path, body in (("/second-factor", {}), ("/email", {"email": "new@example.org"}), ("/api-keys", {"name": "x"})):
        answer = await client.post(f"/api/me{path}", json=body, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "fresh_login_required"), path
    confirmed = await client.post("/api/auth/confirm", json={"password": PASSWORD}, headers=headers)
    assert (await client.get("/api/me", headers=headers)).status_code == 401
    fresh = bearer(confirmed.json())
    assert (await client.post("/api/me/api-keys", json={"name": "x"}, headers=fresh)).status_code == 201


async def test_a_session_is_written_down_as_seen_once_a_minute_and_not_by_the_request(
    client: httpx.AsyncClient, container: Container, database: MemoryDatabase
) -> None:
    await add_person(container)
    headers = await headers_of(client)
    await change_rows(database, "UPDATE sessions SET last_seen_at = :past", past="2026-01-01 00:00:00")
    for _ in range(3):
        await client.get("/api/me", headers=headers)
    seen = (await client.get("/api/me/sessions", headers=headers)).json()["items"][0]["last_seen_at"]
    assert seen.startswith("2026-01-01")
    await container.last_seen().flush()
    seen = (await client.get("/api/me/sessions", headers=headers)).json()["items"][0]["last_seen_at"]
    assert not seen.startswith("2026-01-01")
