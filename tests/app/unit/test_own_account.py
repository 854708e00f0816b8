"""What people do with their own accounts, and what nobody else can do with them."""

import httpx
import pyotp
import pytest
from support.people import (
    NOBODY,
    OTHER,
    PASSWORD,
    RecordedMails,
    add_person,
    ask_for_reset,
    bearer,
    headers_of,
    log_in,
    tokens_of,
)
from support.users import registration

from app.accounts.schemas.kinds import CredentialKind
from carboy.testing import drain
from containers import Container


async def test_a_new_password_ends_the_other_sessions(
    client: httpx.AsyncClient, container: Container, mails: RecordedMails
) -> None:
    await add_person(container)
    here, there = await headers_of(client), await headers_of(client)
    wrong = await client.post("/api/me/password", json={"current_password": "x", "new_password": OTHER}, headers=here)
    assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (422, "#/current_password")
    weak = {"current_password": PASSWORD, "new_password": "ada@example.org-ada"}
    assert (await client.post("/api/me/password", json=weak, headers=here)).status_code == 422
    change = {"current_password": PASSWORD, "new_password": OTHER}
    assert (await client.post("/api/me/password", json=change, headers=here)).status_code == 204
    assert (await client.get("/api/me", headers=here)).status_code == 200
    assert (await client.get("/api/me", headers=there)).status_code == 401
    assert (await log_in(client)).status_code == 401
    assert (await log_in(client, password=OTHER)).status_code == 200
    assert mails.kinds() == ["PasswordChanged"]


async def test_a_reset_works_once_and_ends_all_sessions(
    client: httpx.AsyncClient, container: Container, mails: RecordedMails
) -> None:
    await add_person(container)
    headers = await headers_of(client)
    asked = [await ask_for_reset(client, container, email) for email in ("ada@example.org", "nobody@example.org")]
    assert asked[0] == asked[1]
    assert mails.kinds() == ["ResetPassword"]
    body = {"token": mails.token(), "password": OTHER}
    assert (await client.post("/api/auth/password-reset/confirm", json=body, headers=NOBODY)).status_code == 204
    again = await client.post("/api/auth/password-reset/confirm", json=body, headers=NOBODY)
    assert (again.status_code, again.json()["code"]) == (400, "invalid_one_time_token")
    assert (await client.get("/api/me", headers=headers)).status_code == 401
    assert (await log_in(client, password=OTHER)).status_code == 200


async def test_a_reset_keeps_the_second_factor(
    client: httpx.AsyncClient, container: Container, mails: RecordedMails
) -> None:
    await add_person(container)
    headers = await headers_of(client)
    seed = (await client.post("/api/me/second-factor", headers=headers)).json()["seed"]
    await client.post("/api/me/second-factor/confirm", json={"code": pyotp.TOTP(seed).now()}, headers=headers)
    await ask_for_reset(client, container)
    body = {"token": mails.token(), "password": OTHER}
    assert (await client.post("/api/auth/password-reset/confirm", json=body, headers=NOBODY)).status_code == 204
    half = await tokens_of(client, password=OTHER)
    assert (half["access_token"], half["second_factor_token"] is None) == (None, False)


async def test_a_changed_password_makes_the_reset_link_void(
    client: httpx.AsyncClient, container: Container, mails: RecordedMails
) -> None:
    await add_person(container)
    headers = await headers_of(client)
    await ask_for_reset(client, container)
    body = {"token": mails.token(), "password": OTHER}
    change = {"current_password": PASSWORD, "new_password": OTHER}
    await client.post("/api/me/password", json=change, headers=headers)
    assert (await client.post("/api/auth/password-reset/confirm", json=body, headers=NOBODY)).status_code == 400


async def invite(client: httpx.AsyncClient, mails: RecordedMails, email: str) -> str:
    assert (await client.post("/api/accounts/invitations", json={"email": email})).status_code == 200
    return mails.token()


async def test_registering_takes_an_invitation_for_that_address(
    client: httpx.AsyncClient, mails: RecordedMails
) -> None:
    body = registration("ada", password=PASSWORD)
    refused = await client.post("/api/auth/register", json=body, headers=NOBODY)
    assert (refused.status_code, refused.json()["code"]) == (403, "invitation_required")
    invitation = await invite(client, mails, "eve@example.org")
    wrong = await client.post("/api/auth/register", json=body | {"invitation": invitation}, headers=NOBODY)
    assert wrong.json()["code"] == "invalid_one_time_token"
    invitation = await invite(client, mails, "ada@example.org")
    assert (
        await client.post("/api/auth/register", json=body | {"invitation": invitation}, headers=NOBODY)
    ).status_code == 200
    me = await client.get("/api/me", headers=await headers_of(client))
    assert (me.json()["email_verified"], me.json()["roles"]) == (True, ["member"])


async def test_nobody_asks_for_an_invitation_where_not_everybody_may_register(client: httpx.AsyncClient) -> None:
    closed = await client.post("/api/auth/invitation", json={"email": "bob@example.org"}, headers=NOBODY)
    assert (closed.status_code, closed.json()["code"]) == (403, "registration_closed")


async def test_whoever_registers_with_somebody_elses_address_loses_it_to_its_owner(
    client: httpx.AsyncClient, container: Container, mails: RecordedMails
) -> None:
    # An administrator has made the account: the address is not proved, and a thief has the password.
    await client.post("/api/users", json=registration("ada"))
    account = (await client.get("/api/accounts?user_id=1")).json()["items"][0]
    encoded = await container.password_hasher().hash(PASSWORD)
    credentials = container.credential_dao().of(account["id"])
    await container.database().write(lambda: credentials.put(CredentialKind.PASSWORD, encoded, confirmed_at=None))
    thief = await headers_of(client)
    key = (await client.post("/api/me/api-keys", json={"name": "kept"}, headers=thief)).json()["key"]
    seed = (await client.post("/api/me/second-factor", headers=thief)).json()["seed"]
    code = {"code": pyotp.TOTP(seed).now()}
    assert (await client.post("/api/me/second-factor/confirm", json=code, headers=thief)).status_code == 200

    await ask_for_reset(client, container)
    body = {"token": next(m for m in mails.mails[::-1] if hasattr(m, "token")).token, "password": OTHER}
    assert (await client.post("/api/auth/password-reset/confirm", json=body, headers=NOBODY)).status_code == 204
    for headers in (thief, bearer(key)):
        assert (await client.get("/api/me", headers=headers)).status_code == 401
    mine = await tokens_of(client, password=OTHER)
    assert mine["second_factor_token"] is None
    assert (await client.get("/api/me", headers=bearer(mine))).json()["email_verified"] is True


async def test_a_verification_link_is_for_the_account_that_asked(
    client: httpx.AsyncClient, container: Container, mails: RecordedMails
) -> None:
    await add_person(container)
    await add_person(container, "bob")
    ada, bob = await headers_of(client), await headers_of(client, "bob")
    await client.post("/api/auth/email-verification", headers=ada)
    body = {"token": mails.token()}
    assert (await client.post("/api/auth/email-verification/confirm", json=body, headers=bob)).status_code == 400
    assert (await client.post("/api/auth/email-verification/confirm", json=body, headers=ada)).status_code == 204
    assert (await client.post("/api/auth/email-verification/confirm", json=body, headers=ada)).status_code == 400


async def test_a_new_address_counts_when_it_is_proved(
    client: httpx.AsyncClient, container: Container, mails: RecordedMails
) -> None:
    await add_person(container)
    await add_person(container, "bob")
    headers = await headers_of(client)
    taken = await client.post("/api/me/email", json={"email": "bob@example.org"}, headers=headers)
    await drain(container)
    assert mails.mails == []
    free = await client.post("/api/me/email", json={"email": "new@example.org"}, headers=headers)
    await drain(container)
    assert taken.json() == free.json()
    assert (await client.get("/api/me", headers=headers)).json()["email"] == "ada@example.org"
    token = {"token": mails.token()}
    assert (await client.post("/api/me/email/confirm", json=token, headers=headers)).status_code == 204
    assert (await client.get("/api/me", headers=headers)).json()["email"] == "new@example.org"
    assert [mail.to for mail in mails.mails] == ["new@example.org", "ada@example.org"]


async def test_a_second_factor_is_asked_for_and_each_code_works_once(
    client: httpx.AsyncClient, container: Container
) -> None:
    await add_person(container)
    headers = await headers_of(client)
    prepared = (await client.post("/api/me/second-factor", headers=headers)).json()
    totp = pyotp.TOTP(prepared["seed"])
    wrong = await client.post("/api/me/second-factor/confirm", json={"code": "000000"}, headers=headers)
    assert wrong.status_code == 401
    code = totp.now()
    enabled = await client.post("/api/me/second-factor/confirm", json={"code": code}, headers=headers)
    recovery = enabled.json()["codes"]
    half = await tokens_of(client)
    assert (half["access_token"], half["refresh_token"]) == (None, None)
    assert (await client.get("/api/me", headers=bearer(half["second_factor_token"]))).status_code == 401

    async def step(token: str, code: str) -> httpx.Response:
        return await client.post("/api/auth/second-factor", json={"token": token, "code": code}, headers=NOBODY)

    assert (await step(half["second_factor_token"], code)).status_code == 401, "The code was used to turn it on."
    whole = await step(half["second_factor_token"], recovery[0].lower())
    me = await client.get("/api/me", headers=bearer(whole.json()))
    assert me.json()["second_factor"] is True
    again = await tokens_of(client)
    for _ in range(5):
        assert (await step(again["second_factor_token"], recovery[0])).status_code == 401
    assert (await step(again["second_factor_token"], recovery[1])).status_code == 401, "It has to begin anew."


async def test_a_role_that_requires_a_second_factor_counts_for_nothing_without_one(
    client: httpx.AsyncClient, container: Container
) -> None:
    await add_person(container, is_administrator=True)
    headers = await headers_of(client)
    assert (await client.get("/api/roles", headers=headers)).status_code == 200
    await client.patch("/api/roles/2", json={"requires_second_factor": True})
    assert (await client.get("/api/roles", headers=headers)).status_code == 403
    seed = (await client.post("/api/me/second-factor", headers=headers)).json()["seed"]
    await client.post("/api/me/second-factor/confirm", json={"code": pyotp.TOTP(seed).now()}, headers=headers)
    assert (await client.get("/api/roles", headers=headers)).status_code == 200


async def test_an_api_key_does_what_its_scopes_say_until_it_is_revoked(
    client: httpx.AsyncClient, container: Container
) -> None:
    await add_person(container, is_administrator=True)
    headers = await headers_of(client)
    made = await client.post("/api/me/api-keys", json={"name": "ci", "scopes": ["users:read"]}, headers=headers)
    assert (made.status_code, made.headers["Cache-Control"]) == (201, "no-store")
    key = bearer(made.json()["key"])
    assert (await client.get("/api/users", headers=key)).status_code == 200
    assert (await client.delete("/api/users/1", headers=key)).json()["code"] == "insufficient_scope"
    assert (await client.post("/api/me/api-keys", json={"name": "more"}, headers=key)).status_code == 403
    listed = (await client.get("/api/me/api-keys", headers=headers)).json()["items"]
    assert [(row["name"], "key" in row) for row in listed] == [("ci", False)]
    assert (await client.delete(f"/api/me/api-keys/{listed[0]['id']}", headers=headers)).status_code == 204
    assert (await client.get("/api/users", headers=key)).status_code == 401


@pytest.mark.parametrize("resource", ["sessions", "api-keys"])
async def test_nobody_ends_what_is_anothers(client: httpx.AsyncClient, container: Container, resource: str) -> None:
    await add_person(container)
    await add_person(container, "bob")
    ada, bob = await headers_of(client), await headers_of(client, "bob")
    await client.post("/api/me/api-keys", json={"name": "hers"}, headers=ada)
    row = (await client.get(f"/api/me/{resource}", headers=ada)).json()["items"][0]["id"]
    assert (await client.delete(f"/api/me/{resource}/{row}", headers=bob)).status_code == 404
    assert (await client.delete(f"/api/me/{resource}/{row}", headers=ada)).status_code == 204


async def test_people_change_their_own_names_and_nothing_else_of_themselves(
    client: httpx.AsyncClient, container: Container
) -> None:
    await add_person(container)
    await add_person(container, "bob")
    headers = await headers_of(client)
    assert (await client.patch("/api/me", json={"full_name": "Ada"}, headers=headers)).json()["full_name"] == "Ada"
    assert (await client.patch("/api/users/1", json={"username": "ada2"}, headers=headers)).status_code == 200
    for change in ({"active": False}, {"email": "x@example.org"}):
        refused = await client.patch("/api/users/1", json=change, headers=headers)
        assert (refused.status_code, refused.json()["code"]) == (403, "foreign_field")
    assert (await client.patch("/api/users/2", json={"full_name": "x"}, headers=headers)).status_code == 403
