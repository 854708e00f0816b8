"""A real browser, and what a person with it may need: no scripts, a small screen, a dark one, no barriers.

A test module imports the fixtures that it uses::

    from support.browser import axe, browser, site  # noqa: F401 - fixtures.
"""

import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from support.carboy_server import (
    HOST,
    HYPERCORN,
    PROJECT,
    CarboyServer,
    database_file,
    free_port,
    migrated_copy,
    serve,
)
from support.people import PASSWORD
from support.server import PATIENCE

from carboy.mail.transports import MailFolder

REQUIRED_VARIABLE = "CARBOY_TEST_REQUIRE_BROWSER"
"""Set it where a browser must be there, so that tests that do not run are a failure."""
NODE_REQUIRED_VARIABLE = "CARBOY_TEST_REQUIRE_NODE"

BROWSERS = ("chromium", "google-chrome")
# Containers forbid the sandbox; the rest keeps the browser from asking servers of its maker.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SCREENSHOTS = PROJECT / "build" / "screenshots"
"""Where pictures of pages are left, for whoever wants to look at them."""
REPORTED = ("the server responded with a status of 4", "Cleared data types")
"""What the browser says of what some tests are about: an error's page, and a logout."""
SIZES = {"phone": (320, 640), "zoomed": (640, 512), "desk": (1280, 800)}
"""The screens that pages are looked at on: 320 pixels are a desk's at 400 %, and 640 at 200 % (WCAG 2.2 1.4.10)."""
LOOK = {
    "light": "() => axe.run(document, {resultTypes: ['violations']})",
    "dark": "() => axe.run(document, {resultTypes: ['violations'], runOnly: ['color-contrast']})",
}
"""What is looked for in each scheme: everything in the first, and in the other what differs there."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        reason = f"none of {', '.join(BROWSERS)} is on the PATH"
        if os.environ.get(REQUIRED_VARIABLE):
            pytest.fail(f"A browser is required: {reason}")
        pytest.skip(f"NOT TESTED IN A BROWSER: {reason}")
    expect.set_options(timeout=PATIENCE * 1000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The source of axe-core, which looks for barriers, as tests/accessibility pins it."""
    if shutil.which("npm") is None:
        reason = f"npm is not installed: nobody looks for barriers ({NODE_REQUIRED_VARIABLE}=1 makes this fail)"
        (pytest.fail if os.environ.get(NODE_REQUIRED_VARIABLE) == "1" else pytest.skip)(reason)
    folder = tmp_path_factory.mktemp("node") / "accessibility"
    shutil.copytree(PROJECT / "tests" / "accessibility", folder, ignore=shutil.ignore_patterns("node_modules"))
    command = ["npm", "ci", "--prefer-offline"]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603 - constants.
    assert result.returncode == 0, result.stdout + result.stderr
    return (folder / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Site:
    """A server of the whole application, where everybody may register, and mails go to files.

    Attributes:
        server: The server.
        environment: Its variables, for `flask` commands.
        database: Its SQLite file.
        mails: The folder of its mails.
    """

    server: CarboyServer
    environment: dict[str, str]
    database: Path
    mails: Path

    @property
    def url(self) -> str:
        return self.server.url


@pytest.fixture(scope="module")
def site(migrated_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    with free_port() as port:
        environment = migrated_copy(migrated_database, folder) | {
            "CARBOY_ENV": "development",
            "CARBOY_HTTP__PUBLIC_URL": f"http://{HOST}:{port}",
            "CARBOY_MAIL__FOLDER": str(folder / "mails"),
            "CARBOY_ACCOUNTS__REGISTRATION": "open",
        }
        with serve(HYPERCORN, environment, port=port) as server:
            yield Site(server, environment, database_file(environment), folder / "mails")


class Watched:
    """A browser's window on a server; at the end, the browser must have had nothing to say and nobody else to ask."""

    def __init__(self, browser: Browser, url: str, **options: Any) -> None:
        self._context: BrowserContext = browser.new_context(base_url=url, **options)
        self._url = url
        self._said: list[str] = []
        self._asked: list[str] = []
        self._context.on("request", lambda request: self._asked.append(request.url))

    def open(self, path: str) -> Page:
        """Return a new page of the window, which shows what is at a path."""
        page = self._context.new_page()
        # Violations of the content security policy are among what is said.
        page.on("console", lambda message: self._said.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: self._said.append(str(error)))
        page.goto(path)
        return page

    def close(self) -> None:
        self._context.close()
        said = [line for line in self._said if not any(part in line for part in REPORTED)]
        asked = [url for url in self._asked if not url.startswith((f"{self._url}/", "data:"))]
        assert (said, asked) == ([], []), f"{said} {asked}"


@pytest.fixture
def window(browser: Browser, site: Site) -> Iterator[Watched]:
    """A window in which no script runs, as the pages have none."""
    with closing(Watched(browser, site.url, java_script_enabled=False)) as window:
        yield window


def fill(page: Page, **fields: str) -> None:
    """Fill fields in, by their labels, and send the first form of the page's content."""
    for label, value in fields.items():
        page.get_by_label(label.replace("_", " "), exact=True).fill(value)
    page.locator("main form button").first.click()


def log_in(page: Page, name: str, password: str = PASSWORD) -> None:
    fill(page, Username_or_email_address=name, Password=password)


def check_page(page: Page, axe: str, name: str) -> None:
    """See whether a page has barriers or is too wide, on each screen and in each scheme; leave pictures of it.

    Args:
        page: The page.
        axe: The fixture of this name.
        name: What its pictures are called.
    """
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.evaluate(axe)
    for scheme, look in LOOK.items():
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type] # it is one of two.
        violations = page.evaluate(look)["violations"]
        found = [f"{one['id']}: {node['html']}" for one in violations for node in one["nodes"]]
        assert found == [], f"{name}, {scheme}"
        # How wide a page is does not depend on colours.
        for size in SIZES if scheme == "light" else ("desk",):
            width, height = SIZES[size]
            page.set_viewport_size({"width": width, "height": height})
            assert not scrolls_sideways(page), f"{name} on the {size}"
            if size != "zoomed":
                page.screenshot(path=SCREENSHOTS / f"{name}-{size}-{scheme}.png")


def scrolls_sideways(page: Page) -> bool:
    wide: bool = page.evaluate("() => document.documentElement.scrollWidth > document.documentElement.clientWidth")
    return wide


def link_of_mail(folder: Path, to: str, path: str) -> str:
    """Return the newest link to a page that was mailed to somebody, once a job has written the mail."""
    found, deadline = None, time.monotonic() + PATIENCE
    mails = MailFolder(folder)
    while found is None:
        assert time.monotonic() < deadline, f"No mail for {to} has a link to {path}."
        for name in mails.names():
            mail = mails.read(name)
            if mail["To"] == to and found is None:
                body = mail.get_body(("plain",))
                assert body is not None
                found = re.search(rf"https?://[^/\s]+({re.escape(path)}\?token=\S+)", body.get_content())
        time.sleep(0.02)
    return found[1]
