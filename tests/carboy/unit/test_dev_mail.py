"""The pages of development that show mails, and that they are there in development alone."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from carboy.config.settings import Environment, Settings
from carboy.mail.letters import Letter, message_of, sender_of
from carboy.mail.transports import FilesTransport, MailFolder
from carboy.testing import MemoryDatabase, override
from containers import Container

SCRIPT = "<script>alert(1)</script>"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"environment": Environment.DEVELOPMENT})


@pytest.fixture
def folder(tmp_path: Path) -> MailFolder:
    return MailFolder(tmp_path / "mail")


@pytest.fixture
def container(settings: Settings, database: MemoryDatabase, folder: MailFolder) -> Iterator[Container]:
    container = Container()
    with override(container, settings=settings, database=database, mail_folder=folder):
        yield container


async def send(folder: MailFolder, subject: str, *, minute: int = 0) -> None:
    letter = Letter(
        id=subject,
        date=datetime(2026, 11, 27, 9, minute, tzinfo=UTC),
        to="ada@example.org",
        subject=subject,
        text=f"See https://app.example.org/reset?token=1&x=2 {SCRIPT}",
        html=f"<!doctype html><p>Grüße</p>{SCRIPT}",
    )
    await FilesTransport(folder).send(message_of(letter, sender_of("Carboy <no-reply@example.org>")))


async def test_the_list_has_the_newest_mail_first_and_each_once(client: httpx.AsyncClient, folder: MailFolder) -> None:
    assert "No mail has been sent yet." in (await client.get("/dev/mail")).text
    for minute, subject in enumerate(["First", "Second", f"Third {SCRIPT}"]):
        await send(folder, subject, minute=minute)
        await send(folder, subject, minute=minute)
    page = await client.get("/dev/mail")
    assert (page.status_code, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert page.text.count("ada@example.org") == 3
    assert page.text.index("Third &lt;script&gt;") < page.text.index("Second") < page.text.index("First")
    assert SCRIPT not in page.text


async def test_a_mail_is_shown_with_its_links_and_its_html_in_a_frame_that_can_do_nothing(
    client: httpx.AsyncClient, folder: MailFolder
) -> None:
    await send(folder, "Reset")
    [name] = folder.names()
    page = await client.get(f"/dev/mail/{name}")
    assert '<a href="https://app.example.org/reset?token=1&amp;x=2" rel="noopener" target="_blank">' in page.text
    assert "&lt;script&gt;" in page.text
    assert SCRIPT not in page.text
    assert f'<iframe src="/dev/mail/{name}/html"' in page.text
    assert "script-src" not in page.headers["Content-Security-Policy"]
    html = await client.get(f"/dev/mail/{name}/html")
    assert html.text.startswith('<!doctype html><base target="_blank"><p>Grüße</p>')
    policy = html.headers["Content-Security-Policy"].split("; ")
    assert policy[0] == "default-src 'none'"
    assert "sandbox allow-popups allow-popups-to-escape-sandbox" in policy


@pytest.mark.parametrize("name", ["none.eml", "..%2f..%2fconfig.yaml", "%2e%2e", "config.yaml"])
async def test_nothing_but_a_mail_is_shown(client: httpx.AsyncClient, folder: MailFolder, name: str) -> None:
    await send(folder, "Hi")
    (folder.path.parent / "config.yaml").write_text("secret")
    for path in (f"/dev/mail/{name}", f"/dev/mail/{name}/html"):
        assert (await client.get(path)).status_code == 404


@pytest.mark.parametrize("environment", [one for one in Environment if one is not Environment.DEVELOPMENT])
class TestElsewhere:
    @pytest.fixture
    def settings(self, settings: Settings, environment: Environment) -> Settings:
        return settings.model_copy(update={"environment": environment})

    async def test_there_are_no_such_pages(self, client: httpx.AsyncClient, folder: MailFolder) -> None:
        await send(folder, "Hi")
        [name] = folder.names()
        for path in ("/dev/mail", f"/dev/mail/{name}", f"/dev/mail/{name}/html"):
            assert (await client.get(path)).status_code == 404
