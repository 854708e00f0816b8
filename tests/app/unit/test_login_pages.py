"""Coming in and going out by pages."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pyotp
import pytest
from sqlalchemy import text
from support.people import OTHER, PASSWORD, add_person, headers_of
from support.visitor import Visitor

from carboy.db import Database
from carboy.limits.services import RateLimiter
from carboy.limits.storages import MemoryStorage
from carboy.testing import MemoryDatabase, override
from containers import Container


@pytest.fixture
def visitor(client: httpx.AsyncClient) -> Visitor:
    return Visitor(client)


async def rows(database: MemoryDatabase, statement: str, **values: Any) -> list[Any]:
    return list(await database.write(lambda: database.execute(text(statement), values, writes=True)))


async def events(client: httpx.AsyncClient) -> list[str]:
    return [one["event"] for one in (await client.get("/api/audit-events?sort=-id")).json()["items"]]


async def second_factor(client: httpx.AsyncClient) -> tuple[pyotp.TOTP, list[str]]:
    """Switch ada's second factor on, and return it with the recovery codes."""
    headers = await headers_of(client)
    seed = (await client.post("/api/me/second-factor", headers=headers)).json()["seed"]
    totp = pyotp.TOTP(seed)
    # One step earlier, so that the code of now is still new.
    code = totp.at(datetime.now(UTC) - timedelta(seconds=30))
    answer = await client.post("/api/me/second-factor/confirm", json={"code": code}, headers=headers)
    return totp, answer.json()["codes"]


async def test_a_visitor_logs_in_and_out(
    visitor: Visitor, client: httpx.AsyncClient, container: Container, database: MemoryDatabase
) -> None:
    await add_person(container)
    page = await visitor.open("/login")
    assert page.headers["Cache-Control"] == "no-store"
    assert "script-src" not in page.headers["Content-Security-Policy"]
    before = visitor.session
    await visitor.send("/login", {"login": "Ada@Example.org ", "password": PASSWORD})
    assert visitor.path == "/account"
    assert visitor.session not in {None, before}
    states = await rows(database, "SELECT state FROM sessions")
    assert [row[0] for row in states] == ["full"], "The visitor's session is over."
    assert (await events(client))[0] == "login.succeeded"
    await visitor.open("/logout")
    answer = await visitor.send("/logout")
    assert visitor.path == "/logged-out"
    assert answer.history[0].headers["Clear-Site-Data"] == '"cache", "cookies", "storage"'
    assert "session" not in client.cookies
    assert await rows(database, "SELECT state FROM sessions") == []
    assert (await events(client))[0] == "logout"


async def test_a_password_is_typed_unseen_pasted_or_filled_in(visitor: Visitor) -> None:
    await visitor.open("/login")
    field = re.search(r'<input id="field-password"[^>]*>', visitor.text)
    assert field is not None
    assert 'type="password"' in field[0]
    assert 'autocomplete="current-password"' in field[0]
    # Nothing hinders pasting, or a password manager.
    assert "<script" not in visitor.text
    assert "onpaste" not in visitor.text


async def test_each_page_offers_to_log_out(visitor: Visitor, container: Container) -> None:
    await add_person(container, is_administrator=True)
    await visitor.log_in()
    for path in ("/account", "/account/sessions", "/admin/users"):
        page = await visitor.open(path)
        assert (page.status_code, '<form method="post" action="/logout">' in page.text) == (200, True), path


async def test_what_is_wrong_stands_beside_its_field(visitor: Visitor, container: Container) -> None:
    await add_person(container)
    await visitor.open("/login")
    page = await visitor.send("/login", {"login": "ada"})
    assert page.status_code == 422
    assert "<title>Error: Log in" in page.text
    assert '<a href="#field-password">Password: Must be filled in.</a>' in page.text
    field = re.search(r'<input id="field-password"[^>]*>', page.text)
    assert field is not None
    assert 'aria-describedby="field-password-error"' in field[0]
    assert 'aria-invalid="true"' in field[0]
    assert '<p class="problem" id="field-password-error">Must be filled in.</p>' in page.text
    assert 'value="ada"' in page.text


async def test_a_wrong_name_and_a_wrong_password_are_answered_alike(visitor: Visitor, container: Container) -> None:
    await add_person(container)
    pages = []
    for name, password in (("ada", OTHER), ("bob", PASSWORD)):
        page = await visitor.log_in(name, password)
        assert page.status_code == 422
        assert password not in page.text
        pages.append(re.sub(r'value="[^"]*"', "", page.text))
    assert pages[0] == pages[1]
    assert "The name or the password is wrong." in pages[0]


async def test_guesses_at_pages_and_at_the_api_are_counted_together(
    visitor: Visitor, client: httpx.AsyncClient, container: Container
) -> None:
    await add_person(container)
    for _ in range(10):
        await client.post("/api/auth/login", json={"login": "ada", "password": OTHER}, headers={"Authorization": ""})
    page = await visitor.log_in()
    assert (page.status_code, page.headers["Content-Type"]) == (429, "text/html; charset=utf-8")
    assert "Retry-After" in page.headers


@pytest.mark.parametrize(
    ("wanted", "reached"),
    [
        ("/logout", "/logout"),
        ("//evil.example", "/account"),
        ("https://evil.example", "/account"),
        ("/\\evil.example", "/account"),
    ],
)
async def test_a_login_leads_where_somebody_wanted_to_go_within_the_application(
    visitor: Visitor, container: Container, wanted: str, reached: str
) -> None:
    await add_person(container)
    await visitor.log_in(next=wanted)
    assert visitor.path == reached
    page = await visitor.open(f"/login?next={wanted}")
    assert (page.url.host, visitor.path) == ("testserver", reached)


async def test_a_visitor_comes_back_to_where_they_were_sent_from(visitor: Visitor, container: Container) -> None:
    await add_person(container)
    await visitor.open("/logout")
    assert visitor.path == "/login?next=/logout"
    target = re.search(r'name="next" value="([^"]+)"', visitor.text)
    assert target is not None
    await visitor.send("/login", {"login": "ada", "password": PASSWORD, "next": target[1]})
    assert visitor.path == "/logout"


async def test_a_second_factor_is_asked_for_on_a_page_of_its_own(
    visitor: Visitor, client: httpx.AsyncClient, container: Container
) -> None:
    await add_person(container)
    totp, recovery = await second_factor(client)
    await visitor.log_in(next="/logout")
    assert visitor.path == "/login/second-factor?next=/logout"
    half = visitor.session
    await visitor.open("/logout")
    assert visitor.path == "/login?next=/logout", "Half a login opens nothing."
    await visitor.open("/login/second-factor?next=/logout")
    page = await visitor.send("/login/second-factor", {"code": "000000", "next": "/logout"})
    assert page.status_code == 422
    assert "Code: The code is wrong, or was used before." in page.text
    await visitor.send("/login/second-factor", {"code": totp.now(), "next": "/logout"})
    assert visitor.path == "/logout"
    assert visitor.session != half
    await visitor.send("/logout")
    await visitor.log_in()
    page = await visitor.send("/login/second-factor", {"code": recovery[0]})
    assert visitor.path == "/account"


async def test_wrong_codes_end_a_login(visitor: Visitor, client: httpx.AsyncClient, container: Container) -> None:
    await add_person(container)
    await second_factor(client)
    await visitor.log_in()
    for _ in range(5):
        assert visitor.path.startswith("/login/second-factor")
        await visitor.send("/login/second-factor", {"code": "000000"})
    assert visitor.path.startswith("/login?")
    assert "There were too many wrong codes." in visitor.text
    await visitor.open("/login")
    assert "There were too many wrong codes." not in visitor.text, "It is shown once."


async def test_nobody_is_asked_for_a_code_whose_login_does_not_wait(visitor: Visitor) -> None:
    await visitor.open("/login/second-factor")
    assert visitor.path.startswith("/login?")
    await visitor.send("/login/second-factor", {"code": "000000"})
    assert visitor.path.startswith("/login?")


async def test_a_form_from_elsewhere_is_a_page_that_says_what_to_do(visitor: Visitor, container: Container) -> None:
    await add_person(container)
    fields = {"login": "ada", "password": PASSWORD}
    for more, headers in (({"csrf_token": "wrong"}, {}), ({}, {"Sec-Fetch-Site": "cross-site"})):
        await visitor.open("/login")
        page = await visitor.send("/login", fields | more, **headers)
        assert page.status_code == 403
        assert '<a class="button" href="/login">Open the page again</a>' in page.text


async def test_a_login_in_another_persons_session_begins_a_new_one(
    visitor: Visitor, container: Container, database: MemoryDatabase
) -> None:
    await add_person(container)
    await visitor.log_in()
    first = visitor.session
    await visitor.open("/logout")
    await visitor.send("/login", {"login": "ada", "password": PASSWORD})
    assert visitor.session != first
    [(count,)] = await rows(database, "SELECT count(*) FROM sessions WHERE state = 'full'")
    assert count == 1


@pytest.mark.parametrize("column", ["idle_expires_at", "expires_at"])
async def test_a_session_ends_when_it_was_idle_or_has_lasted_too_long(
    visitor: Visitor, container: Container, database: MemoryDatabase, column: str
) -> None:
    await add_person(container)
    await visitor.log_in()
    [(idle, absolute, now)] = await rows(
        database, "SELECT idle_expires_at, expires_at, authenticated_at FROM sessions WHERE state = 'full'"
    )
    begun = datetime.fromisoformat(now)
    assert datetime.fromisoformat(idle) - begun == timedelta(minutes=30)
    assert datetime.fromisoformat(absolute) - begun == timedelta(hours=8)
    await visitor.open("/logout")
    assert visitor.path == "/logout"
    await rows(database, f"UPDATE sessions SET {column} = '2026-01-01 00:00:00'")  # noqa: S608 - a constant.
    await visitor.open("/logout")
    assert visitor.path == "/login?next=/logout"


async def test_a_page_that_is_used_keeps_its_session_for_one_write_a_minute(
    visitor: Visitor, container: Container, database: MemoryDatabase
) -> None:
    await add_person(container)
    await visitor.log_in()
    past = "2026-01-01 00:00:00"
    await container.last_seen().flush()
    await visitor.open("/logout")
    await container.last_seen().flush()
    [(kept,)] = await rows(database, "SELECT version FROM sessions WHERE state = 'full'")
    await rows(database, "UPDATE sessions SET last_seen_at = :past", past=past)
    await visitor.open("/logout")
    await container.last_seen().flush()
    [(seen, version)] = await rows(database, "SELECT last_seen_at, version FROM sessions WHERE state = 'full'")
    assert seen != past
    assert version == kept


async def test_a_disabled_account_is_out_at_once(
    visitor: Visitor, client: httpx.AsyncClient, container: Container
) -> None:
    await add_person(container)
    await visitor.log_in()
    assert (await client.patch("/api/users/1", json={"active": False})).status_code == 200
    await visitor.open("/logout")
    assert visitor.path == "/login?next=/logout"


async def test_a_token_of_the_api_opens_no_page_and_a_cookie_no_route(
    visitor: Visitor, client: httpx.AsyncClient, container: Container
) -> None:
    await add_person(container)
    headers = await headers_of(client)
    client.cookies.set("session", headers["Authorization"].removeprefix("Bearer "))
    await visitor.open("/logout", **headers)
    assert visitor.path == "/login?next=/logout"
    client.cookies.clear()
    await visitor.log_in()
    answer = await client.get("/api/me", headers={"Authorization": "", "Accept": "application/json"})
    assert answer.status_code == 401
    shown = await client.get("/api/me", headers={"Authorization": f"Bearer {visitor.session}"})
    assert shown.status_code == 401


async def test_a_page_costs_one_statement_and_no_write(
    visitor: Visitor, container: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    await add_person(container)
    await visitor.log_in()
    execute, asked = Database.execute, []

    async def counted(self: Database, *args: Any, **options: Any) -> Any:
        asked.append(options)
        return await execute(self, *args, **options)

    monkeypatch.setattr(Database, "execute", counted)
    assert (await visitor.open("/logout")).status_code == 200
    assert asked == [{}]


async def test_new_visitors_from_one_address_are_bounded(
    client: httpx.AsyncClient, visitor: Visitor, container: Container
) -> None:
    limiter = RateLimiter(MemoryStorage(), MemoryStorage(), ("visitors=2/1 minute",))
    with override(container, rate_limiter=limiter):
        for status in (200, 200, 429):
            client.cookies.clear()
            assert (await visitor.open("/login")).status_code == status


async def test_pages_know_where_the_application_is_mounted(
    visitor: Visitor, client: httpx.AsyncClient, container: Container
) -> None:
    await add_person(container)
    client._transport.root_path = "/under here"  # type: ignore[attr-defined]  # noqa: SLF001 - httpx's own transport.
    await visitor.open("/under%20here/logout?a=%C3%A9")
    assert visitor.path == "/under%20here/login?next=/under%2520here/logout?a%3D%25C3%25A9"
    assert 'action="/under%20here/login"' in visitor.text
    next_page = "/under%20here/logout?a=%C3%A9"
    assert f'name="next" value="{next_page}"' in visitor.text
    await visitor.send("/under%20here/login", {"login": "ada", "password": PASSWORD, "next": next_page})
    assert visitor.path == next_page
    await visitor.open("/under%20here/login")
    assert visitor.path == "/under%20here/account"
    client._transport.root_path = ""  # type: ignore[attr-defined]  # noqa: SLF001 - likewise.


async def test_an_address_that_is_wrong_is_a_page_that_says_so(visitor: Visitor) -> None:
    page = await visitor.open("/login", Host="x" * 300)
    assert (page.status_code, page.headers["Content-Type"]) == (400, "text/html; charset=utf-8")
    assert 'href="/static/app.css"' in page.text


async def test_the_style_sheet_is_for_everybody(client: httpx.AsyncClient) -> None:
    answer = await client.get("/static/app.css", headers={"Authorization": ""})
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/css; charset=utf-8")
    assert (await client.get("/static/../settings.py")).status_code == 404
