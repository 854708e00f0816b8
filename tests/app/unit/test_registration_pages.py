"""Getting an account, a new password and a proved address by pages, and the links of mails."""

import httpx
import pytest
from sqlalchemy import text
from support.accounts import ADMIN
from support.people import OTHER, PASSWORD, RecordedMails, add_person, headers_of, log_in
from support.visitor import Visitor

from app.accounts.mails import ConfirmNewEmail
from app.settings import Settings
from carboy.testing import MemoryDatabase, drain
from containers import Container

NEW = {"username": "ada", "email": "ada@example.org", "full_name": "", "password": PASSWORD}


@pytest.fixture
def visitor(client: httpx.AsyncClient) -> Visitor:
    return Visitor(client)


@pytest.fixture
def registration() -> str:
    """Who may register; a test changes it by a parameter."""
    return "open"


@pytest.fixture
def settings(loaded_settings: Settings, registration: str) -> Settings:
    accounts = loaded_settings.accounts.model_copy(update={"registration": registration})
    return loaded_settings.model_copy(update={"accounts": accounts})


async def test_somebody_proves_an_address_registers_and_logs_in(
    visitor: Visitor, client: httpx.AsyncClient, container: Container, mails: RecordedMails
) -> None:
    await visitor.open("/login")
    assert 'href="/register"' in visitor.text
    await visitor.open("/register")
    assert visitor.path == "/invitation"
    page = await visitor.send("/invitation", {"email": "none"})
    assert (page.status_code, "An email address must have an @-sign." in page.text) == (422, True)
    await visitor.send("/invitation", {"email": "ada@example.org"})
    assert visitor.path == "/login"
    assert "a mail is on its way" in visitor.text
    await drain(container)
    await visitor.open(f"/register?token={mails.token()}")
    assert visitor.path == "/register", "The token is in no address any more."
    await visitor.send("/register", NEW)
    assert visitor.path == "/login"
    await visitor.send("/login", {"login": "ada", "password": PASSWORD})
    assert visitor.path == "/account"
    assert (await client.get("/api/me", headers=await headers_of(client))).json()["email_verified"] is True


async def test_whether_an_address_is_known_is_told_by_mail_alone(
    visitor: Visitor, container: Container, mails: RecordedMails
) -> None:
    await add_person(container, "bob")
    texts = []
    for email in ("ada@example.org", "bob@example.org"):
        await visitor.open("/invitation")
        page = await visitor.send("/invitation", {"email": email})
        texts.append((page.history[0].status_code, page.history[0].headers["Location"], "on its way" in page.text))
    assert texts == [(303, "/login", True)] * 2
    await drain(container)
    assert sorted(mails.kinds()) == ["AlreadyRegistered", "Invitation"]


async def test_what_was_typed_stays_but_for_the_password(
    visitor: Visitor, client: httpx.AsyncClient, container: Container, mails: RecordedMails
) -> None:
    await add_person(container)
    await client.post("/api/accounts/invitations", json={"email": "new@example.org"})
    await visitor.open(f"/register?token={mails.token()}")
    page = await visitor.send("/register", NEW | {"full_name": "Ada L."})
    assert page.status_code == 422
    assert '<a href="#field-username">Username: Another user has this username.</a>' in page.text
    assert 'value="Ada L."' in page.text
    assert PASSWORD not in page.text
    page = await visitor.send("/register", NEW | {"username": "a b"})
    assert "Username: Must not contain spaces" in page.text
    page = await visitor.send("/register", NEW | {"username": "eve", "password": "short"})
    assert '<a href="#field-password">Password: ' in page.text
    assert "At least 15 characters" in page.text


@pytest.mark.parametrize("registration", ["closed", "invitation"])
async def test_who_may_not_register_is_told_so(visitor: Visitor, registration: str) -> None:
    await visitor.open("/login")
    assert "/register" not in visitor.text
    told = {"closed": "Nobody can register here", "invitation": "takes an invitation"}[registration]
    for path in ("/register", "/invitation"):
        page = await visitor.open(path)
        assert (page.status_code, told in page.text) == (403, True)


@pytest.mark.parametrize("registration", ["invitation"])
async def test_an_invitation_opens_the_form_once_and_for_its_address(
    visitor: Visitor, client: httpx.AsyncClient, mails: RecordedMails
) -> None:
    await client.post("/api/accounts/invitations", json={"email": "ada@example.org"})
    address = f"/register?token={mails.token()}"
    await visitor.open(address)
    assert visitor.path == "/register"
    assert "<strong>ada@example.org</strong>" in visitor.text
    await visitor.send("/register", NEW | {"email": "eve@example.org"})
    assert visitor.path == "/login"
    assert (await log_in(client, "ada@example.org")).status_code == 200
    page = await visitor.open(address)
    assert (page.status_code, "This link does not work" in page.text) == (400, True)


async def test_a_forgotten_password_is_reset_by_a_link_once(
    visitor: Visitor, client: httpx.AsyncClient, container: Container, mails: RecordedMails
) -> None:
    await add_person(container)
    elsewhere = await headers_of(client)
    await visitor.open("/forgot-password")
    await visitor.send("/forgot-password", {"email": "ada@example.org"})
    await drain(container)
    assert visitor.path == "/login"
    known = visitor.text[visitor.text.index("flash") :].splitlines()[0]
    address = f"/reset-password?token={mails.token()}"
    answer = await visitor.open(address)
    assert visitor.path == "/reset-password"
    assert answer.history[0].headers["Referrer-Policy"] == "no-referrer"
    page = await visitor.send("/reset-password", {"password": "ada@example.org"})
    assert (page.status_code, "New password: " in page.text) == (422, True)
    await visitor.send("/reset-password", {"password": OTHER})
    assert visitor.path == "/login"
    assert "Your password is changed" in visitor.text
    assert (await client.get("/api/me", headers=elsewhere)).status_code == 401
    assert (await log_in(client, password=OTHER)).status_code == 200
    page = await visitor.open(address)
    assert (page.status_code, "Ask for a new link</a>" in page.text) == (400, True)
    await visitor.open("/forgot-password")
    await visitor.send("/forgot-password", {"email": "nobody@example.org"})
    await drain(container)
    assert known in visitor.text
    assert mails.kinds() == ["ResetPassword", "PasswordChanged"]


async def test_a_link_that_has_expired_says_so(
    visitor: Visitor, container: Container, database: MemoryDatabase, mails: RecordedMails
) -> None:
    await add_person(container)
    await container.password_service().send_reset_link(ADMIN, "ada@example.org")
    await visitor.open(f"/reset-password?token={mails.token()}")
    expired = text("UPDATE one_time_tokens SET expires_at = '2026-01-01 00:00:00'")
    await database.write(lambda: database.execute(expired, {}, writes=True))
    page = await visitor.send("/reset-password", {"password": OTHER})
    assert (page.status_code, "it has expired, or was used before" in page.text) == (400, True)
    assert (await visitor.open("/reset-password")).status_code == 400


@pytest.mark.parametrize("path", ["/reset-password", "/first-administrator"])
@pytest.mark.parametrize("query", ["", "?token=", "?token=x%00%0D%0Aé;", "?token=carboy_link_" + "x" * 9000])
async def test_a_link_that_is_none_says_so(visitor: Visitor, path: str, query: str) -> None:
    page = await visitor.open(path + query)
    assert (page.status_code, "This link does not work" in page.text) == (400, True)
    assert visitor.path == path


async def test_a_link_to_one_page_is_worth_nothing_at_another(
    visitor: Visitor, container: Container, mails: RecordedMails
) -> None:
    await add_person(container)
    await container.password_service().send_reset_link(ADMIN, "ada@example.org")
    assert (await visitor.open(f"/register?token={mails.token()}")).status_code == 400
    await visitor.open("/register")
    assert visitor.path == "/invitation", "The wrong link is forgotten."


async def test_an_address_is_proved_once_its_owner_has_logged_in(
    visitor: Visitor, client: httpx.AsyncClient, container: Container, mails: RecordedMails
) -> None:
    await add_person(container)
    headers = await headers_of(client)
    await client.patch("/api/users/1", json={"email": "new@example.org"})
    await client.post("/api/auth/email-verification", headers=headers)
    await visitor.open(f"/verify-email?token={mails.token()}")
    assert visitor.path == "/login?next=/verify-email", "The token is in no address any more."
    await visitor.send("/login", {"login": "ada", "password": PASSWORD, "next": "/verify-email"})
    assert visitor.path == "/verify-email"
    assert (await client.get("/api/me", headers=headers)).json()["email_verified"] is False
    await visitor.send("/verify-email")
    assert (await client.get("/api/me", headers=headers)).json()["email_verified"] is True


async def test_a_new_address_is_taken_over_when_its_link_is_confirmed(
    visitor: Visitor, client: httpx.AsyncClient, container: Container, mails: RecordedMails
) -> None:
    await add_person(container)
    headers = await headers_of(client)
    await client.post("/api/me/email", json={"email": "lovelace@example.org"}, headers=headers)
    await drain(container)
    letter = container.mail_templates().render(ConfirmNewEmail.model_validate(mails.mails[-1].model_dump()))
    assert f"/confirm-email?token={mails.token()}" in letter.text
    await visitor.log_in()
    await visitor.open(f"/confirm-email?token={mails.token()}")
    assert visitor.path == "/confirm-email"
    await visitor.send("/confirm-email")
    assert (await client.get("/api/me", headers=headers)).json()["email"] == "lovelace@example.org"


async def test_a_link_proves_an_address_to_its_own_account_alone(
    visitor: Visitor, client: httpx.AsyncClient, container: Container, mails: RecordedMails
) -> None:
    await add_person(container)
    await add_person(container, "eve")
    await client.post("/api/auth/email-verification", headers=await headers_of(client))
    await visitor.log_in("eve")
    await visitor.open(f"/verify-email?token={mails.token()}")
    page = await visitor.send("/verify-email")
    assert (page.status_code, "This link does not work" in page.text) == (400, True)


async def test_the_first_administrator_is_made_by_a_page_once(
    visitor: Visitor, client: httpx.AsyncClient, container: Container
) -> None:
    token = await container.registration_service().offer_first_administrator(ADMIN)
    assert token is not None
    address = f"/first-administrator?token={token.reveal()}"
    await visitor.open(address)
    assert visitor.path == "/first-administrator"
    page = await visitor.send("/first-administrator", NEW | {"password": "short"})
    assert page.status_code == 422
    await visitor.send("/first-administrator", NEW)
    assert visitor.path == "/login"
    assert "You are the administrator now." in visitor.text
    assert (await client.get("/api/roles", headers=await headers_of(client))).status_code == 200
    assert (await visitor.open(address)).status_code == 400


async def test_no_second_administrator_is_made_by_the_link_of_the_first(visitor: Visitor, container: Container) -> None:
    token = await container.registration_service().offer_first_administrator(ADMIN)
    assert token is not None
    await add_person(container, "bob", is_administrator=True)
    page = await visitor.open(f"/first-administrator?token={token.reveal()}")
    assert (page.status_code, "There is an administrator already." in page.text) == (409, True)
