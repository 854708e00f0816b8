"""Accounts over HTTP on real databases, where requests really meet."""

import asyncio

import httpx
import pytest
from support.databases import rows_of
from support.people import (
    NOBODY,
    OTHER,
    RecordedMails,
    add_person,
    ask_for_reset,
    bearer,
    headers_of,
    tokens_of,
)
from support.visitor import Visitor

from carboy.db import Database
from carboy.testing import override
from containers import Container


async def refresh(client: httpx.AsyncClient, token: str) -> httpx.Response:
    return await client.post("/api/auth/refresh", json={"refresh_token": token}, headers=NOBODY)


async def test_a_login_is_refreshed_and_a_replayed_token_ends_it(
    client: httpx.AsyncClient, container: Container
) -> None:
    await add_person(container)
    first = await tokens_of(client)
    answers = await asyncio.gather(*(refresh(client, first["refresh_token"]) for _ in range(20)))
    assert {answer.status_code for answer in answers} == {200}
    second = answers[0].json()
    third = (await refresh(client, second["refresh_token"])).json()
    assert (await client.get("/api/me", headers=bearer(third))).status_code == 200
    assert (await refresh(client, first["refresh_token"])).status_code == 401
    for tokens in (first, second, third):
        assert (await client.get("/api/me", headers=bearer(tokens))).status_code == 401
    events = await rows_of(container.database(), "audit_events")
    assert [row["event"] for row in events].count("session.refresh_token_replayed") == 1, "It is kept, though refused."


async def test_somebody_logs_in_and_out_by_pages(client: httpx.AsyncClient, container: Container) -> None:
    await add_person(container)
    visitor = Visitor(client)
    await visitor.log_in(next="/logout")
    assert visitor.path == "/logout"
    await container.last_seen().flush()
    await visitor.send("/logout")
    assert visitor.path == "/logged-out"
    assert await rows_of(container.database(), "sessions") == []


async def test_two_administrators_cannot_remove_each_other_at_once(
    client: httpx.AsyncClient, container: Container
) -> None:
    accounts = [await add_person(container, name, is_administrator=True) for name in ("ada", "bob")]
    answers = await asyncio.gather(
        *(client.put(f"/api/accounts/{account}/roles", json={"roles": ["member"]}) for account in accounts)
    )
    assert sorted(answer.status_code for answer in answers) == [200, 409]


async def test_two_administrators_cannot_be_deleted_or_disabled_at_once(
    client: httpx.AsyncClient, container: Container
) -> None:
    for name in ("ada", "bob"):
        await add_person(container, name, is_administrator=True)
    ada, bob = await rows_of(container.database(), "users")
    answers = await asyncio.gather(
        client.delete(f"/api/users/{ada['id']}"), client.patch(f"/api/users/{bob['id']}", json={"active": False})
    )
    assert [answer.status_code for answer in answers] in ([204, 409], [409, 200])


async def test_a_reset_link_works_for_one_of_many_who_send_it_at_once(
    client: httpx.AsyncClient, container: Container
) -> None:
    mails = RecordedMails()
    with override(container, post=mails):
        await add_person(container)
        headers = await headers_of(client)
        await ask_for_reset(client, container)
        body = {"token": mails.token(), "password": OTHER}
        answers = await asyncio.gather(
            *(client.post("/api/auth/password-reset/confirm", json=body, headers=NOBODY) for _ in range(5))
        )
    assert sorted(answer.status_code for answer in answers) == [204, 400, 400, 400, 400]
    assert (await client.get("/api/me", headers=headers)).status_code == 401


async def test_an_authenticated_read_is_one_statement_more_than_the_read(
    client: httpx.AsyncClient, container: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    await add_person(container)
    headers = await headers_of(client)
    asked: list[object] = []
    execute = Database.execute

    async def counted(self: Database, *args: object, **options: object) -> object:
        asked.append(args[0])
        return await execute(self, *args, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(Database, "execute", counted)
    assert (await client.get("/api/users/1", headers=headers)).status_code == 200
    assert len(asked) == 2


async def test_an_erasure_forgets_all_that_names_a_person(client: httpx.AsyncClient, container: Container) -> None:
    invited = {"email": "ADA@example.org"}
    assert (await client.post("/api/accounts/invitations", json=invited)).status_code == 200
    account_id = await add_person(container)
    headers = await headers_of(client)
    found = (await client.get("/api/me/export", headers=headers)).json()["data"]
    assert {"users", "sessions", "audit_events"} <= found.keys()
    assert (await client.delete("/api/me", headers=headers)).status_code == 204
    assert (await client.get("/api/me", headers=headers)).status_code == 401
    for table in ("users", "sessions", "one_time_tokens", "audit_events", "background_jobs"):
        assert "ada" not in str(await rows_of(container.database(), table)).lower(), table
    last = (await rows_of(container.database(), "audit_events"))[-1]
    assert (last["event"], last["subject_id"], last["address"]) == ("account.erased", account_id, None)


async def test_of_two_administrators_who_erase_themselves_at_once_one_stays(
    client: httpx.AsyncClient, container: Container
) -> None:
    people = []
    for name in ("ada", "bob"):
        await add_person(container, name, is_administrator=True)
        people.append(await headers_of(client, name))
    answers = await asyncio.gather(*(client.delete("/api/me", headers=headers) for headers in people))
    assert sorted(answer.status_code for answer in answers) == [204, 409]
    assert len(await rows_of(container.database(), "users")) == 1
