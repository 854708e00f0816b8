"""Whether somebody has an account is told to nobody: neither by an answer nor by what it takes (ASVS 5.0 6.3.8)."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from support.people import NOBODY, PASSWORD, RecordedMails, add_person, headers_of, log_in
from support.users import registration

from app.settings import Settings
from carboy.db import Database
from carboy.testing import drain
from containers import Container


@pytest.fixture
def settings(loaded_settings: Settings) -> Settings:
    accounts = loaded_settings.accounts.model_copy(update={"registration": "open"})
    return loaded_settings.model_copy(update={"accounts": accounts})


Seen = Callable[[], list[str]]


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> Seen:
    """Return a function that returns the statements since it was last called: what the time of an answer is made of."""
    seen: list[str] = []
    execute = Database.execute

    async def noted(self: Database, statement: Any, *args: Any, **options: Any) -> Any:
        seen.append(str(statement))
        return await execute(self, statement, *args, **options)

    def take() -> list[str]:
        taken = [*seen]
        seen.clear()
        return taken

    monkeypatch.setattr(Database, "execute", noted)
    return take


async def test_a_login_that_fails_asks_the_database_the_same_whoever_it_is_for(
    client: httpx.AsyncClient, container: Container, statements: Seen
) -> None:
    await add_person(container)
    await add_person(container, "bob", password=None)
    await add_person(container, "cem")
    await client.patch("/api/users/3", json={"active": False})
    asked = {}
    for name, password in (("ada", "wrong"), ("nobody", "wrong"), ("bob", PASSWORD), ("cem", PASSWORD)):
        statements()
        assert (await log_in(client, name, password)).status_code == 401
        asked[name] = statements()
    assert len(asked["ada"]) > 5
    assert [one for one in asked.values() if one != asked["ada"]] == []


@pytest.mark.parametrize("path", ["/api/auth/password-reset", "/api/auth/invitation", "/api/me/email"])
async def test_a_mail_is_asked_for_alike_at_any_address(
    client: httpx.AsyncClient, container: Container, statements: Seen, mails: RecordedMails, path: str
) -> None:
    await add_person(container)
    await add_person(container, "bob")
    headers = await headers_of(client) if path.startswith("/api/me") else NOBODY
    told = []
    for name in ("bob", "eve"):
        statements()
        answer = await client.post(path, json={"email": f"{name}@example.org"}, headers=headers)
        body, asked = answer.json(), statements()
        fixed = {key: value for key, value in answer.headers.items() if not key.startswith(("x-request", "ratelimit"))}
        told.append((answer.status_code, body, fixed, asked))
    assert told[0][0] == 200
    assert len(told[0][3]) > 0
    assert told[0] == told[1]
    # What differs comes later, by mail.
    assert mails.mails == []
    await drain(container)
    assert len(mails.mails) == {"/api/auth/invitation": 2}.get(path, 1)


async def test_an_invitation_is_sent_to_whoever_asks_and_a_known_address_is_told_so(
    client: httpx.AsyncClient, container: Container, mails: RecordedMails
) -> None:
    await add_person(container)
    for email in ("Ada@Example.org", "bob@example.org"):
        await client.post("/api/auth/invitation", json={"email": email}, headers=NOBODY)
    await drain(container)
    told = dict(zip([mail.to for mail in mails.mails], mails.kinds(), strict=True))
    assert told == {"ada@example.org": "AlreadyRegistered", "bob@example.org": "Invitation"}
    body = registration("bob", password=PASSWORD, invitation=mails.token())
    assert (await client.post("/api/auth/register", json=body, headers=NOBODY)).status_code == 200
    assert (await client.post("/api/auth/register", json=body, headers=NOBODY)).status_code == 400
    assert (await client.get("/api/me", headers=await headers_of(client, "bob"))).json()["email_verified"] is True


async def test_nobody_gets_an_account_of_an_address_whose_mails_they_do_not_read(
    client: httpx.AsyncClient, container: Container
) -> None:
    # Else whoever registers and then tries to log in learns whether the address was free.
    body = registration("eve", password=PASSWORD)
    refused = await client.post("/api/auth/register", json=body, headers=NOBODY)
    assert (refused.status_code, refused.json()["code"]) == (403, "invitation_required")
    assert (await log_in(client, "eve")).status_code == 401


async def test_mails_to_one_address_are_bounded(client: httpx.AsyncClient, container: Container) -> None:
    await add_person(container)
    for path in ("/api/auth/password-reset", "/api/auth/invitation"):
        for name in ("ada", "bob"):
            body = {"email": f"{name}@example.org"}
            statuses = [(await client.post(path, json=body, headers=NOBODY)).status_code for _ in range(6)]
            assert statuses == [200] * 5 + [429]
