"""The pages of accounts and administrators in a real browser, under a real server, without scripts."""

import sqlite3
from contextlib import closing

import pyotp
import pytest
from playwright.sync_api import Browser, Page, expect
from support.accounts import add_person, make_administrator
from support.browser import Site, Watched, check_page, fill, link_of_mail, log_in
from support.people import OTHER, PASSWORD

pytestmark = pytest.mark.timeout(240)


def change(site: Site, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(site.database)) as connection, connection:
        connection.execute(statement, values)


def enter(window: Watched, site: Site, name: str, path: str, *, is_administrator: bool = False) -> Page:
    """Log somebody new in, and return the page that they wanted to see."""
    add_person(site.database, name, PASSWORD)
    if is_administrator:
        make_administrator(site.database, name)
    page = window.open(path)
    log_in(page, name)
    expect(page).to_have_url(f"{site.url}{path}")
    return page


def press(page: Page, button: str) -> None:
    page.locator("main").get_by_role("button", name=button, exact=True).click()


def told(page: Page, text: str) -> None:
    expect(page.locator(".flash")).to_contain_text(text)


def test_somebody_changes_their_profile_and_password(window: Watched, site: Site) -> None:
    page = enter(window, site, "ada", "/account")
    page.get_by_label("Full name (optional)").fill("Ada Lovelace")
    press(page, "Save the profile")
    told(page, "Your profile is saved.")
    page.get_by_role("link", name="Password").click()
    fill(page, Current_password=OTHER, New_password=OTHER)
    expect(page.get_by_role("alert")).to_contain_text("Current password: Is not your password.")
    fill(page, Current_password=PASSWORD, New_password=OTHER)
    told(page, "Your password is changed")
    page.get_by_role("button", name="Log out").click()
    page.goto("/login")
    log_in(page, "ada", OTHER)
    expect(page.get_by_label("Full name (optional)")).to_have_value("Ada Lovelace")


def test_a_new_email_address_takes_the_password_anew_and_a_link(window: Watched, site: Site) -> None:
    page = enter(window, site, "bob", "/account")
    change(site, "UPDATE sessions SET authenticated_at = '2026-01-01 00:00:00'")
    page.get_by_role("link", name="Change the email address").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Confirm that it is you")
    fill(page, Password=PASSWORD)
    expect(page).to_have_url(f"{site.url}/account/email")
    fill(page, New_email_address="robert@example.org")
    told(page, "a mail with a link is on its way")
    page.goto(link_of_mail(site.mails, "robert@example.org", "/confirm-email"))
    press(page, "It is mine")
    told(page, "This is your email address now.")
    expect(page.locator(".facts")).to_contain_text("robert@example.org")


def test_a_key_is_made_and_revoked_and_a_session_ended(window: Watched, site: Site) -> None:
    page = enter(window, site, "cem", "/account/keys/new")
    page.get_by_label("me:read").check()
    page.get_by_label("Last day (optional)").fill("2099-12-31")
    fill(page, Name="backup")
    key = page.locator("code.secret").inner_text()
    with site.server.client(headers={"Authorization": f"Bearer {key}"}) as client:
        assert client.get("/api/me").json()["name"] == "cem"
        page.get_by_role("link", name="I have copied it").click()
        press(page, "Revoke the key backup")
        told(page, "The key is revoked.")
        assert client.get("/api/me").status_code == 401
        body = {"login": "cem", "password": PASSWORD, "device": "phone"}
        assert client.post("/api/auth/login", json=body, headers={"Authorization": ""}).status_code == 200
    page.get_by_role("link", name="Sessions").click()
    expect(page.locator(".rows li")).to_have_count(2)
    press(page, "End the session of phone")
    expect(page.locator(".rows li")).to_have_count(1)
    expect(page.locator(".rows li")).to_contain_text("This session")


def test_a_second_factor_is_set_up_and_turned_off(window: Watched, site: Site) -> None:
    page = enter(window, site, "dee", "/account/second-factor")
    press(page, "Set up an authenticator app")
    picture = page.get_by_role("img", name="QR code of the key below")
    assert picture.evaluate("image => image.naturalWidth") > 0
    totp = pyotp.TOTP(page.locator("code.secret").inner_text().replace(" ", ""))
    fill(page, Code="000000")
    expect(page.get_by_role("alert")).to_contain_text("Code: The code is wrong")
    fill(page, Code=totp.now())
    expect(page.get_by_role("heading", level=1)).to_have_text("Your recovery codes")
    expect(page.locator(".codes li")).to_have_count(10)
    page.get_by_role("link", name="I have kept them").click()
    page.get_by_role("link", name="Turn it off").click()
    press(page, "Turn it off")
    told(page, "The second factor is off")
    page.get_by_role("link", name="Security events").click()
    expect(page.locator(".rows li").first).to_contain_text("Second factor disabled")


def test_an_administrator_finds_and_disables_somebody(window: Watched, site: Site) -> None:
    add_person(site.database, "eve", PASSWORD)
    page = enter(window, site, "root", "/admin/users", is_administrator=True)
    page.get_by_label("Name or email address").fill("EVE@")
    press(page, "Search")
    page.get_by_role("link", name="eve").click()
    page.get_by_label("administrator").check()
    press(page, "Save the roles")
    told(page, "The roles are saved.")
    press(page, "Disable eve")
    told(page, "Disabled.")
    page.get_by_role("link", name="All users").click()
    page.get_by_label("State").select_option("Disabled")
    press(page, "Search")
    expect(page.locator("tbody tr")).to_have_count(1)
    page.goto("/login")
    expect(page).to_have_url(f"{site.url}/account")


def test_an_operator_runs_a_dead_job_again(window: Watched, site: Site) -> None:
    page = enter(window, site, "olga", "/admin/jobs", is_administrator=True)
    change(site, "DELETE FROM background_jobs WHERE kind != 'mail.deliver'")
    page.goto("/forgot-password")
    fill(page, Email_address="olga@example.org")
    link_of_mail(site.mails, "olga@example.org", "/reset-password")
    page.goto("/admin/jobs?state=done")
    page.locator("tbody").last.get_by_role("link").first.click()
    number = page.url.rpartition("/")[2]
    history = '[{"at": "2026-11-27T12:00:00Z", "attempt": 1, "worker": "w", "error": "RefusedError: 550 no such user"}]'
    change(site, "UPDATE background_jobs SET state = 'dead', history = ? WHERE id = ?", history, number)
    page.goto("/admin/jobs")
    page.get_by_role("link", name="1 dead of mail").click()
    page.locator("tbody").last.get_by_role("link").first.click()
    expect(page.get_by_text("550 no such user")).to_be_visible()
    press(page, "Run it again")
    told(page, f"Job {number} waits again.")


def test_a_member_is_told_that_it_is_not_theirs(window: Watched, site: Site) -> None:
    page = enter(window, site, "mia", "/account")
    expect(page.get_by_role("navigation", name="Main").get_by_role("link")).to_have_text(["Account"])
    page.goto("/admin/users")
    expect(page.get_by_role("heading", level=1)).to_have_text("Forbidden")


def test_a_keyboard_is_enough(window: Watched, site: Site) -> None:
    page = enter(window, site, "fay", "/account/keys/new")
    keys = page.keyboard
    keys.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    keys.press("Enter")
    for _ in range(8):
        keys.press("Tab")
    expect(page.get_by_label("Name")).to_be_focused()
    keys.type("by hand")
    keys.press("Enter")
    expect(page.get_by_role("alert")).to_be_focused()
    keys.press("Tab")
    keys.press("Enter")
    keys.press("Tab")
    expect(page.get_by_label("me:read")).to_be_focused()
    keys.press("Space")
    keys.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Your new API key")


def test_no_page_has_barriers_or_is_too_wide(browser: Browser, site: Site, axe: str) -> None:
    add_person(site.database, "gil" + "l" * 60, PASSWORD)
    window = Watched(browser, site.url)
    page = enter(window, site, "hans", "/account", is_administrator=True)
    check_page(page, axe, "account")
    for name in (
        "password",
        "sessions",
        "keys",
        "keys/new",
        "second-factor",
        "events",
        "data",
        "data/erase",
        "email",
        "confirm",
    ):
        page.goto(f"/account/{name}")
        check_page(page, axe, f"account-{name.replace('/', '-')}")
    page.goto("/account/keys/new")
    fill(page, Name="")
    check_page(page, axe, "account-keys-new-with-problems")
    page.get_by_label("me:read").check()
    fill(page, Name="backup")
    check_page(page, axe, "account-key")
    page.goto("/account/second-factor")
    press(page, "Set up an authenticator app")
    check_page(page, axe, "account-set-up")
    fill(page, Code=pyotp.TOTP(page.locator("code.secret").inner_text().replace(" ", "")).now())
    check_page(page, axe, "account-recovery-codes")
    for path in ("admin/users", "admin/users/1", "admin/jobs"):
        page.goto(f"/{path}")
        check_page(page, axe, path.replace("/", "-"))
    page.locator("tbody").last.get_by_role("link").first.click()
    check_page(page, axe, "admin-job")
    window.close()
