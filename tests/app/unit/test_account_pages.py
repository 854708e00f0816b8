"""What people do with their own accounts by pages, and what nobody else can do with them."""

import re
from datetime import UTC, datetime, timedelta

import httpx
import pyotp
import pytest
from flask import Flask
from sqlalchemy import text
from support.people import OTHER, PASSWORD, RecordedMails, add_person, bearer, headers_of, log_in
from support.visitor import Visitor

from carboy.testing import MemoryDatabase, drain
from containers import Container

SECTIONS = ("", "/password", "/sessions", "/keys", "/second-factor", "/events", "/data")


@pytest.fixture
async def visitor(client: httpx.AsyncClient, container: Container) -> Visitor:
    """Ada, who has just logged in."""
    await add_person(container)
    visitor = Visitor(client)
    await visitor.log_in()
    return visitor


async def age_logins(database: MemoryDatabase) -> None:
    """Let all logins be too long ago for what needs a fresh one."""
    past = (datetime.now(UTC) - timedelta(hours=1)).replace(tzinfo=None).isoformat(" ")
    change = text("UPDATE sessions SET authenticated_at = :past")
    await database.write(lambda: database.execute(change, {"past": past}, writes=True))


async def me(client: httpx.AsyncClient, headers: dict[str, str]) -> httpx.Response:
    return await client.get("/api/me", headers=headers)


async def test_each_section_leads_to_the_others(visitor: Visitor) -> None:
    for section in SECTIONS:
        page = await visitor.open(f"/account{section}")
        assert page.status_code == 200
        links = set(re.findall(r'href="(/account[^"]*)"', page.text))
        assert links >= {f"/account{other}" for other in SECTIONS}
        assert f'href="/account{section}" aria-current="page"' in page.text
        assert "/admin/" not in page.text, "A member sees nothing of what administrators do."


async def test_visitors_are_sent_to_the_login(client: httpx.AsyncClient) -> None:
    for path in (*SECTIONS, "/email", "/keys/new", "/second-factor/off", "/confirm"):
        answer = await client.get(f"/account{path}")
        assert (answer.status_code, answer.headers["Location"]) == (303, f"/login?next=/account{path}")


async def test_the_profile_is_changed_and_what_is_wrong_stands_beside_its_field(
    visitor: Visitor, client: httpx.AsyncClient, container: Container
) -> None:
    await add_person(container, "bob")
    page = await visitor.open("/account")
    assert "ada@example.org" in page.text
    page = await visitor.send("/account", {"username": "bob", "full_name": "Ada"})
    assert page.status_code == 422
    assert 'id="field-username-error">Another user has this username.' in page.text
    page = await visitor.send("/account", {"username": "ada2", "full_name": "Ada <Lovelace>"})
    assert (page.status_code, page.history[0].status_code) == (200, 303)
    assert "Your profile is saved." in page.text
    assert 'value="Ada &lt;Lovelace&gt;"' in page.text
    await visitor.send("/account", {"username": "ada2", "full_name": " "})
    assert (await me(client, await headers_of(client, "ada2"))).json()["full_name"] is None


async def test_a_new_email_address_takes_a_fresh_login_and_counts_when_it_is_proved(
    visitor: Visitor, container: Container, database: MemoryDatabase, mails: RecordedMails
) -> None:
    await age_logins(database)
    page = await visitor.open("/account/email")
    assert visitor.path == "/account/confirm?next=/account/email"
    page = await visitor.send("/account/confirm", {"password": OTHER, "next": "/account/email"})
    assert page.status_code == 422
    assert 'id="field-password-error">The name or the password is wrong.' in page.text
    before = visitor.session
    page = await visitor.send("/account/confirm", {"password": PASSWORD, "next": "/account/email"})
    assert visitor.path == "/account/email"
    assert visitor.session != before
    page = await visitor.send("/account/email", {"email": "no address"})
    assert (page.status_code, mails.mails) == (422, [])
    page = await visitor.send("/account/email", {"email": "new@example.org"})
    assert visitor.path == "/account"
    assert "a mail with a link is on its way" in page.text
    assert "ada@example.org" in page.text
    await drain(container)
    assert [(mail.to, type(mail).__name__) for mail in mails.mails] == [("new@example.org", "ConfirmNewEmail")]


async def test_a_confirmation_leads_nowhere_else(visitor: Visitor) -> None:
    for target in ("https://evil.example", "//evil.example"):
        await visitor.open(f"/account/confirm?next={target}")
        assert 'name="next" value="/account"' in visitor.text
        page = await visitor.send("/account/confirm", {"password": PASSWORD, "next": target})
        assert (page.url.host, visitor.path) == ("testserver", "/account")


async def test_a_form_that_was_open_too_long_asks_for_the_password_and_comes_back(
    visitor: Visitor, container: Container, database: MemoryDatabase, mails: RecordedMails
) -> None:
    await visitor.open("/account/email")
    await age_logins(database)
    await visitor.send("/account/email", {"email": "new@example.org"})
    assert visitor.path == "/account/confirm?next=/account/email"
    await drain(container)
    assert mails.mails == []


async def test_an_address_that_is_not_proved_can_be(
    visitor: Visitor, container: Container, database: MemoryDatabase, mails: RecordedMails
) -> None:
    assert "(not proved yet)" not in (await visitor.open("/account")).text
    change = text("UPDATE accounts SET email_verified_at = NULL")
    await database.write(lambda: database.execute(change, writes=True))
    assert "(not proved yet)" in (await visitor.open("/account")).text
    await visitor.send("/account/verification")
    await drain(container)
    assert mails.kinds() == ["VerifyEmail"]


async def test_a_changed_password_ends_the_other_sessions(visitor: Visitor, client: httpx.AsyncClient) -> None:
    other = await headers_of(client)
    await visitor.open("/account/password")
    fields = {"current_password": OTHER, "new_password": OTHER}
    page = await visitor.send("/account/password", fields)
    assert page.status_code == 422
    assert 'id="field-current_password-error">Is not your password.' in page.text
    page = await visitor.send("/account/password", {"current_password": PASSWORD, "new_password": "short"})
    assert 'id="field-new_password-error"' in page.text
    assert PASSWORD not in page.text
    page = await visitor.send("/account/password", {"current_password": PASSWORD, "new_password": OTHER})
    assert "Your password is changed" in page.text
    assert (await me(client, other)).status_code == 401
    assert (await log_in(client, password=OTHER)).status_code == 200
    assert (await visitor.open("/account")).status_code == 200


async def test_sessions_are_shown_with_this_one_marked_and_others_end(
    visitor: Visitor, client: httpx.AsyncClient
) -> None:
    phone, tablet = await headers_of(client, device="phone"), await headers_of(client, device="<b>tablet</b>")
    page = await visitor.open("/account/sessions")
    assert page.text.count("This session") == 1
    assert "&lt;b&gt;tablet&lt;/b&gt;" in page.text
    ends = re.findall(r'action="(/account/sessions/\d+/end)"', page.text)
    assert len(ends) == 2, "This one ends by logging out."
    page = await visitor.send(ends[0])
    assert "The session is ended." in page.text
    assert [(await me(client, headers)).status_code for headers in (phone, tablet)] == [401, 200]
    assert (await visitor.send(ends[0])).status_code == 404
    await visitor.open("/account/sessions")
    await visitor.send("/account/sessions")
    assert (await me(client, tablet)).status_code == 401
    assert (await visitor.open("/account")).status_code == 200


@pytest.mark.parametrize("path", ["/account/sessions/{}/end", "/account/keys/{}/revoke"])
async def test_nobody_ends_what_is_anothers(
    visitor: Visitor, client: httpx.AsyncClient, container: Container, path: str
) -> None:
    await add_person(container, "bob")
    bob = await headers_of(client, "bob")
    key = await client.post("/api/me/api-keys", json={"name": "his"}, headers=bob)
    session = (await client.get("/api/me/sessions", headers=bob)).json()["items"][0]
    row = session["id"] if "sessions" in path else key.json()["id"]
    await visitor.open("/account/sessions")
    assert (await visitor.send(path.format(row))).status_code == 404
    assert (await me(client, bob)).status_code == 200
    assert (await me(client, bearer(key.json()["key"]))).status_code == 200


async def test_a_key_is_made_shown_once_and_revoked(visitor: Visitor, client: httpx.AsyncClient) -> None:
    await visitor.open("/account/keys/new")
    page = await visitor.send("/account/keys/new", {"name": "backup"})
    assert page.status_code == 422
    assert 'id="field-scopes-error"' in page.text
    assert 'value="backup"' in page.text
    fields = {"name": "backup", "scopes": ["me:read"], "expires_at": "2020-01-01"}
    page = await visitor.send("/account/keys/new", fields)
    assert 'id="field-expires_at-error">Must be in the future.' in page.text
    assert 'value="me:read" checked' in page.text
    page = await visitor.send("/account/keys/new", fields | {"expires_at": "9999-12-31"})
    assert page.headers["Cache-Control"] == "no-store"
    [key] = re.findall(r"carboy_key_\w+", page.text)
    assert (await me(client, bearer(key))).json()["permissions"] == ["me:read"]
    page = await visitor.open("/account/keys")
    assert "carboy_key_" not in page.text
    assert "9999-12-31" in page.text
    [revoke] = re.findall(r'action="(/account/keys/\d+/revoke)"', page.text)
    page = await visitor.send(revoke)
    assert "The key is revoked." in page.text
    assert (await me(client, bearer(key))).status_code == 401


async def test_only_what_one_may_do_oneself_is_offered_to_a_key(visitor: Visitor) -> None:
    page = await visitor.open("/account/keys/new")
    assert re.findall(r'name="scopes" value="([^"]+)"', page.text) == ["me:read", "me:write"]
    page = await visitor.send("/account/keys/new", {"name": "x", "scopes": ["users:fly"]})
    assert page.status_code == 422


async def test_a_second_factor_is_set_up_and_turned_off(visitor: Visitor, client: httpx.AsyncClient) -> None:
    await visitor.open("/account/second-factor/set-up")
    assert visitor.path == "/account/second-factor", "Nothing is prepared."
    page = await visitor.send("/account/second-factor")
    assert visitor.path == "/account/second-factor/set-up"
    assert 'src="data:image/svg+xml' in page.text
    [shown] = re.findall(r'<code class="secret">([A-Z2-7 ]+)</code>', page.text)
    seed = shown.replace(" ", "")
    page = await visitor.send("/account/second-factor/set-up", {"code": "000000"})
    assert page.status_code == 422
    assert shown in page.text, "The picture need not be scanned anew."
    code = pyotp.TOTP(seed).at(datetime.now(UTC) - timedelta(seconds=30))
    page = await visitor.send("/account/second-factor/set-up", {"code": code})
    codes = re.findall(r"<li><code>([^<]+)</code>", page.text)
    assert len(codes) == 10
    assert (await log_in(client)).json()["second_factor_token"] is not None

    page = await visitor.send("/account/second-factor/set-up", {"code": code})
    assert "not in the state" in page.text, "To load the page of the codes again makes no others."
    await visitor.open("/account/second-factor/recovery-codes")
    page = await visitor.send("/account/second-factor/recovery-codes")
    assert not set(codes) & set(re.findall(r"<li><code>([^<]+)</code>", page.text))

    await visitor.open("/account/second-factor/off")
    page = await visitor.send("/account/second-factor/off")
    assert "The second factor is off" in page.text
    assert (await log_in(client)).json()["access_token"] is not None


async def test_a_confirmation_asks_for_the_second_factor_too(
    visitor: Visitor, client: httpx.AsyncClient, database: MemoryDatabase
) -> None:
    await visitor.open("/account/second-factor")
    page = await visitor.send("/account/second-factor")
    [shown] = re.findall(r'<code class="secret">([A-Z2-7 ]+)</code>', page.text)
    totp = pyotp.TOTP(shown.replace(" ", ""))
    await visitor.send("/account/second-factor/set-up", {"code": totp.at(datetime.now(UTC) - timedelta(seconds=30))})
    await age_logins(database)
    await visitor.open("/account/second-factor/off")
    assert visitor.path.startswith("/account/confirm")
    page = await visitor.send("/account/confirm", {"password": PASSWORD})
    assert 'id="field-code-error">The code is wrong' in page.text
    await visitor.send("/account/confirm", {"password": PASSWORD, "code": totp.now(), "next": "/account/second-factor"})
    assert visitor.path == "/account/second-factor"


async def test_the_events_of_an_account_are_its_own(
    visitor: Visitor, client: httpx.AsyncClient, container: Container
) -> None:
    await add_person(container, "bob")
    await log_in(client, "bob", OTHER)
    assert "Login failed" not in (await visitor.open("/account/events")).text
    await log_in(client, "ada", OTHER)
    page = await visitor.open("/account/events?limit=1")
    assert "Login failed" in page.text
    [following] = re.findall(r'href="(/account/events\?[^"]+)">Next page', page.text)
    assert "Login succeeded" in (await visitor.open(following.replace("&amp;", "&"))).text


async def test_people_get_their_data_and_erase_themselves_in_a_fresh_login(
    visitor: Visitor, client: httpx.AsyncClient, container: Container, database: MemoryDatabase
) -> None:
    await add_person(container, "bob")
    answer = await client.get("/account/data/export")
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert [row["username"] for row in answer.json()["data"]["users"]] == ["ada"]
    await visitor.open("/account/data/erase")
    await age_logins(database)
    await visitor.send("/account/data/erase")
    assert visitor.path == "/account/confirm?next=/account/data/erase"
    await visitor.send("/account/confirm", {"password": PASSWORD, "next": "/account/data/erase"})
    page = await visitor.send("/account/data/erase")
    assert "Your account is erased" in page.text
    assert "/admin" not in page.text
    assert page.headers["Clear-Site-Data"] == '"cache", "cookies", "storage"'
    assert visitor.session is None
    assert (await log_in(client)).status_code == 401
    assert (await log_in(client, "bob")).status_code == 200


async def test_the_last_administrator_is_not_erased(client: httpx.AsyncClient, container: Container) -> None:
    await add_person(container, is_administrator=True)
    visitor = Visitor(client)
    await visitor.log_in()
    await visitor.open("/account/data/erase")
    page = await visitor.send("/account/data/erase")
    assert "Somebody must be an administrator" in page.text
    assert (await log_in(client)).status_code == 200


async def test_no_other_site_sends_these_forms(visitor: Visitor, client: httpx.AsyncClient, app: Flask) -> None:
    paths = [
        rule.rule.replace("<int:session_id>", "1").replace("<int:key_id>", "1")
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/account") and "POST" in (rule.methods or ())
    ]
    assert len(paths) == 14
    await visitor.open("/account")
    for path in paths:
        for token, site in (("wrong", "same-origin"), (visitor.token, "cross-site")):
            answer = await client.post(path, data={"csrf_token": token}, headers={"Sec-Fetch-Site": site})
            assert answer.status_code == 403, path


async def test_an_address_that_asks_for_what_there_is_not_is_refused(visitor: Visitor) -> None:
    for query in ("cursor=x", "limit=0", "sort=password"):
        assert (await visitor.open(f"/account/sessions?{query}")).status_code in {400, 422}
    assert (await visitor.open("/account/sessions?_external=1&endpoint=x&limit=1")).status_code == 200
