"""The pages of login and registration as people meet them: in a real browser, under a real server, without scripts."""

import sqlite3
from contextlib import closing

import pyotp
import pytest
from playwright.sync_api import Browser, Page, expect
from support.accounts import add_person
from support.browser import Site, Watched, check_page, fill, link_of_mail, log_in
from support.carboy_server import flask
from support.people import OTHER, PASSWORD

pytestmark = pytest.mark.timeout(240)


def log_out(page: Page) -> None:
    page.goto("/logout")
    page.locator("main form button").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("You are logged out")


def enable_second_factor(site: Site, name: str) -> pyotp.TOTP:
    """Switch a person's second factor on by the API, and return it."""
    with site.server.client(headers={}) as client:
        tokens = client.post("/api/auth/login", json={"login": name, "password": PASSWORD}).json()
        headers = {"Authorization": f"Bearer {tokens['access_token']}"}
        totp = pyotp.TOTP(client.post("/api/me/second-factor", headers=headers).json()["seed"])
        answer = client.post("/api/me/second-factor/confirm", json={"code": totp.now()}, headers=headers)
        assert answer.status_code == 200, answer.text
    with closing(sqlite3.connect(site.database)) as connection, connection:
        # The code of now works once; so that nobody has to wait for the next one, it counts as new.
        connection.execute("UPDATE credentials SET last_step = NULL")
    return totp


def test_somebody_registers_by_the_link_of_a_mail_logs_in_and_out(window: Watched, site: Site) -> None:
    page = window.open("/login")
    page.get_by_role("link", name="Create an account").click()
    fill(page, Email_address="ada@example.org")
    expect(page.get_by_role("status")).to_contain_text("a mail is on its way")
    page.goto(link_of_mail(site.mails, "ada@example.org", "/register"))
    expect(page).to_have_url(f"{site.url}/register")
    fill(page, Username="ada", Password="short")
    expect(page.get_by_role("alert")).to_contain_text("There is a problem")
    expect(page.get_by_label("Username")).to_have_value("ada")
    expect(page.get_by_text("For ada@example.org.")).to_be_visible()
    expect(page.get_by_label("Password")).to_have_value("")
    fill(page, Password=PASSWORD)
    log_in(page, "ada")
    expect(page.get_by_role("heading", name="Log in")).to_be_hidden()
    log_out(page)
    page.goto("/logout")
    expect(page).to_have_url(f"{site.url}/login?next=/logout")


def test_a_forgotten_password_is_reset_by_a_link(window: Watched, site: Site) -> None:
    add_person(site.database, "bob", PASSWORD)
    page = window.open("/login")
    log_in(page, "bob", OTHER)
    expect(page.get_by_role("alert")).to_contain_text("The name or the password is wrong.")
    page.get_by_role("link", name="Forgot your password?").click()
    fill(page, Email_address="bob@example.org")
    page.goto(link_of_mail(site.mails, "bob@example.org", "/reset-password"))
    expect(page).to_have_url(f"{site.url}/reset-password")
    fill(page, New_password=OTHER)
    expect(page.get_by_role("status")).to_contain_text("Your password is changed")
    log_in(page, "bob", OTHER)
    log_out(page)


def test_a_second_factor_is_asked_for_where_it_is_on(window: Watched, site: Site) -> None:
    add_person(site.database, "cem", PASSWORD)
    totp = enable_second_factor(site, "cem")
    page = window.open("/logout")
    log_in(page, "cem")
    expect(page).to_have_url(f"{site.url}/login/second-factor?next=/logout")
    fill(page, Code="000000")
    expect(page.get_by_role("alert")).to_contain_text("Code: The code is wrong")
    fill(page, Code=totp.now())
    expect(page).to_have_url(f"{site.url}/logout")


def test_a_keyboard_is_enough(window: Watched, site: Site) -> None:
    add_person(site.database, "dee", PASSWORD)
    page = window.open("/login?next=/logout")
    keys = page.keyboard
    keys.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    keys.press("Enter")
    keys.press("Tab")
    expect(page.get_by_label("Username or email address")).to_be_focused()
    keys.type("dee")
    keys.press("Tab")
    keys.type(OTHER)
    keys.press("Enter")
    # The summary has the focus, and each of its lines leads to a field.
    expect(page.get_by_role("alert")).to_be_focused()
    page.get_by_label("Password").focus()
    keys.type(PASSWORD)
    keys.press("Tab")
    expect(page.get_by_role("button", name="Log in")).to_be_focused()
    keys.press("Enter")
    expect(page).to_have_url(f"{site.url}/logout")


def test_the_server_prints_a_link_by_which_the_first_administrator_comes_in(
    window: Watched,
    site: Site,
) -> None:
    printed = flask("users", "first-administrator", environment=site.environment)
    address = printed.stdout.split()[-1]
    assert address.startswith(f"{site.url}/first-administrator?token=")
    page = window.open(address)
    fill(page, Username="root", Email_address="root@example.org", Password=PASSWORD)
    log_in(page, "root")
    page.goto(address)
    expect(page.get_by_role("heading", level=1)).to_have_text("This link does not work")


def test_no_page_has_barriers_or_is_too_wide(browser: Browser, site: Site, axe: str) -> None:
    add_person(site.database, "eve", PASSWORD)
    enable_second_factor(site, "eve")
    window = Watched(browser, site.url)
    page = window.open("/login")
    check_page(page, axe, "login")
    fill(page, Password="x")
    check_page(page, axe, "login-with-problems")
    log_in(page, "eve")
    check_page(page, axe, "second-factor")
    for path in ("/", "/invitation", "/forgot-password", "/reset-password", "/logged-out", "/nothing"):
        page.goto(path)
        check_page(page, axe, path.strip("/") or "home")
    page.goto("/invitation")
    fill(page, Email_address="gil@example.org")
    page.goto(link_of_mail(site.mails, "gil@example.org", "/register"))
    check_page(page, axe, "register")
    add_person(site.database, "fay", PASSWORD)
    page.goto("/logout")
    log_in(page, "fay")
    check_page(page, axe, "logout")
    window.close()
