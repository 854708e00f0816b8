"""A person gets all that is known of them, and is erased from all of it."""

import json
from typing import Any

import httpx
import pytest
from flask import Flask
from sqlalchemy import Table
from support.accounts import ADMIN, MEMBER_HEADERS
from support.databases import rows_of
from support.people import RecordedMails, add_person, headers_of, log_in
from support.users import registration

from app.security import COMMAND
from carboy.models import Base
from carboy.services.personal_data import OwnedRows, Person
from carboy.testing import MemoryDatabase
from containers import Container

AGENT = "a browser that only ada has"


def leads_to_people(table: Table) -> bool:
    """Tell whether rows of a table belong to a person, by however many references."""
    targets = {key.column.table.name for key in table.foreign_keys} - {table.name}
    return table.name == "users" or any(leads_to_people(Base.metadata.tables[name]) for name in targets)


def test_each_table_that_leads_to_a_person_is_cared_for(container: Container) -> None:
    tables = {name for part in container.personal_data_parts().all for name in part.tables}
    people = {table.name for table in Base.metadata.tables.values() if leads_to_people(table)}
    assert people - tables == set(), "Say what becomes of them: docs/how-to/keep-and-erase-data.md"
    assert {"sessions", "session_tokens", "audit_events", "background_jobs"} <= tables


async def live(client: httpx.AsyncClient) -> dict[str, str]:
    """Let ada come in, make a key and a user, and return her headers."""
    client.headers["User-Agent"] = AGENT
    assert (await log_in(client, password="wrong")).status_code == 401
    headers = await headers_of(client)
    assert (await client.post("/api/me/api-keys", json={"name": "k"}, headers=headers)).status_code == 201
    assert (await client.post("/api/auth/email-verification", headers=headers)).status_code == 200
    client.headers["User-Agent"] = "somebody else's"
    return headers


async def left_of(database: MemoryDatabase) -> dict[str, list[dict[str, Any]]]:
    """Return all rows of all tables that have an id."""
    return {name: await rows_of(database, name) for name, table in Base.metadata.tables.items() if "id" in table.c}


async def test_an_export_has_all_that_is_ones_own_and_no_secret(
    client: httpx.AsyncClient, container: Container
) -> None:
    await add_person(container)
    await add_person(container, "bob")
    headers = await live(client)
    answer = await client.get("/api/me/export", headers=headers)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    found = answer.json()
    assert found["truncated"] == []
    tables = {"users", "accounts", "credentials", "sessions", "api_keys", "one_time_tokens", "audit_events"}
    assert found["data"].keys() == tables
    assert [row["username"] for row in found["data"]["users"]] == ["ada"]
    assert "bob" not in answer.text
    assert "argon2" not in answer.text
    assert not any("secret" in row or "digest" in row for rows in found["data"].values() for row in rows)
    events = found["data"]["audit_events"]
    assert {"login.failed", "login.succeeded", "api_key.created"} <= {event["event"] for event in events}
    # Whoever made the account is somebody else.
    assert all("address" not in one for one in events if one["actor_kind"] == "service")


async def test_an_export_that_is_cut_short_says_of_which_tables(
    client: httpx.AsyncClient, container: Container
) -> None:
    account_id = await add_person(container)
    await live(client)
    found = await container.personal_data_service().export(ADMIN, account_id, limit=1)
    assert {len(rows) for rows in found.data.values()} == {1}
    assert found.truncated == ["audit_events"]


async def test_an_erased_person_is_nowhere_and_what_happened_stays(
    client: httpx.AsyncClient, container: Container, database: MemoryDatabase, mails: RecordedMails
) -> None:
    invited = {"email": "ADA@example.org"}
    assert (await client.post("/api/accounts/invitations", json=invited)).status_code == 200
    await add_person(container, "root", is_administrator=True)
    account_id = await add_person(container)
    headers = await live(client)
    before = [row["event"] for row in await rows_of(database, "audit_events")]
    erased = await client.delete("/api/me", headers=headers)
    assert (erased.status_code, "cookies" in erased.headers["Clear-Site-Data"]) == (204, True)
    assert (await client.get("/api/me", headers=headers)).status_code == 401
    assert (await log_in(client)).status_code == 401
    left = await left_of(database)
    events = left["audit_events"]
    assert [row["event"] for row in events][: len(before)] == before
    assert [row["event"] for row in events if row["subject_id"] == account_id][-1] == "account.erased"
    assert "ada" not in json.dumps(left, default=str).lower()
    assert AGENT not in str(left)
    assert [row["username"] for row in left["users"]] == ["root"]


@pytest.mark.parametrize("way", ["api", "command"])
async def test_whoever_deletes_a_person_erases_them(
    client: httpx.AsyncClient, container: Container, database: MemoryDatabase, way: str
) -> None:
    account_id = await add_person(container)
    await live(client)
    [user] = await rows_of(database, "users")
    if way == "api":
        assert (await client.delete(f"/api/users/{user['id']}")).status_code == 204
    else:
        await container.personal_data_service().erase(COMMAND, account_id)
    left = await left_of(database)
    done = [row for row in left["audit_events"] if row["subject_id"] == account_id]
    assert [row["event"] for row in done][-2:] == ["account.deleted", "account.erased"]
    assert {row["address"] for row in left["audit_events"] if row["actor_id"] == account_id} == {None}
    assert "ada" not in json.dumps(left, default=str).lower()
    assert AGENT not in str(left)


async def test_a_person_whose_deletion_fails_is_whole(
    client: httpx.AsyncClient, container: Container, database: MemoryDatabase
) -> None:
    await add_person(container)
    headers = await live(client)
    before = await left_of(database)
    [user] = before["users"]
    stale = await client.delete(f"/api/users/{user['id']}", headers={"If-Match": '"99"'})
    assert stale.status_code == 412
    assert await left_of(database) == before
    assert (await client.get("/api/me", headers=headers)).status_code == 200


async def test_jobs_and_stored_answers_of_an_erased_person_go(
    client: httpx.AsyncClient, container: Container, database: MemoryDatabase
) -> None:
    account_id = await add_person(container, is_administrator=True)
    await add_person(container, "root", is_administrator=True)
    headers = await headers_of(client)
    new = await client.post("/api/users", json=registration("bob"), headers=headers | {"Idempotency-Key": "k"})
    assert new.status_code == 201
    for email in ("Ada@example.org", "ad_@example.org"):
        asked = await client.post("/api/auth/password-reset", json={"email": email}, headers={"Authorization": ""})
        assert asked.status_code == 200
    found = await container.personal_data_service().export(ADMIN, account_id)
    assert (len(found.data["background_jobs"]), len(found.data["idempotency_keys"])) == (1, 1)
    await container.personal_data_service().erase(ADMIN, account_id)
    assert await rows_of(database, "idempotency_keys") == []
    assert [json.loads(row["payload"])["email"] for row in await rows_of(database, "background_jobs")] == [
        "ad_@example.org"
    ]


async def test_nobody_is_erased_without_a_fresh_login(client: httpx.AsyncClient, container: Container) -> None:
    await add_person(container)
    headers = await headers_of(client)
    key = (await client.post("/api/me/api-keys", json={"name": "k"}, headers=headers)).json()["key"]
    refused = await client.delete("/api/me", headers={"Authorization": f"Bearer {key}"})
    assert (refused.status_code, refused.json()["code"]) == (403, "fresh_login_required")
    settings = container.settings().accounts.model_copy(update={"fresh_minutes": 0})
    service = container.personal_data_service()
    service._settings = settings  # noqa: SLF001 - minutes must pass otherwise.
    assert (await client.delete("/api/me", headers=headers)).status_code == 403
    confirmed = await client.get("/api/me", headers=headers)
    assert confirmed.status_code == 200


async def test_the_last_administrator_cannot_be_erased_and_stays_whole(
    client: httpx.AsyncClient, container: Container, database: MemoryDatabase
) -> None:
    await add_person(container, is_administrator=True)
    headers = await live(client)
    before = await left_of(database)
    refused = await client.delete("/api/me", headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (409, "last_administrator")
    after = await left_of(database)
    for table in ("users", "accounts", "sessions", "api_keys", "one_time_tokens", "audit_events"):
        assert len(after[table]) >= len(before[table]), table
    assert AGENT in str(after["audit_events"])


async def test_a_service_has_no_personal_data(client: httpx.AsyncClient) -> None:
    for answer in (await client.get("/api/me/export", headers=MEMBER_HEADERS), await client.get("/api/me/export")):
        assert (answer.status_code, answer.json()["code"]) == (403, "person_required")


async def test_rows_of_an_owner_are_exported_and_deleted(client: httpx.AsyncClient, container: Container) -> None:
    account_id = await add_person(container)
    headers = await live(client)
    rows = OwnedRows(container.database(), container.api_key_dao())
    person = Person(account_id=account_id, user_id=1, username="ada", email="ada@example.org")
    assert [(table, row["name"]) async for table, row in rows.export(person)] == [("api_keys", "k")]
    await container.database().write(lambda: rows.erase(person))
    assert (await client.get("/api/me/api-keys", headers=headers)).json()["items"] == []
    assert rows.tables == ("api_keys",)


async def test_rows_that_refer_to_a_user_are_exported_and_kept_where_they_must_be(container: Container) -> None:
    account_id = await add_person(container, password=None)
    await add_person(container, "bob", password=None)
    rows = OwnedRows(container.database(), container.account_dao(), owner="user_id", erasable=False)
    person = Person(account_id=account_id, user_id=1, username="ada", email="ada@example.org")
    await container.database().write(lambda: rows.erase(person))
    assert [(table, row["id"]) async for table, row in rows.export(person)] == [("accounts", account_id)]


@pytest.mark.parametrize(
    ("owner", "said"),
    [(None, "no column refers to no user"), ("username", "username refers to no user"), ("lost", "lost refers to no")],
)
def test_rows_that_refer_to_nobody_are_nobodys(container: Container, owner: str | None, said: str) -> None:
    with pytest.raises(TypeError, match=f"^OwnedRows of UserDao: {said}.* Write owner="):
        OwnedRows(container.database(), container.user_dao(), owner=owner)


@pytest.mark.parametrize("login", ["ada", "ada@example.org"])
def test_the_commands_export_and_erase(app: Flask, container: Container, login: str) -> None:
    run = app.test_cli_runner().invoke
    assert run(args=["users", "create", "ada", "ada@example.org"]).exit_code == 0
    exported = run(args=["data", "export", login])
    assert json.loads(exported.output)["data"]["users"][0]["email"] == "ada@example.org"
    assert run(args=["data", "erase", login], input="n\n").exit_code == 1
    erased = run(args=["data", "erase", "--yes", login])
    assert (erased.exit_code, "is erased" in erased.output) == (0, True)
    assert "There is no such account" in run(args=["data", "export", login]).output
