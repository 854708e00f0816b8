"""Mail from a service's transaction to a mail server, on real databases."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from dependency_injector import providers
from support.databases import database_settings
from support.mail_server import HOST, MailServer, mail_server
from support.mails import *  # noqa: F403 - pytest finds fixtures among the names of a module.
from support.mails import welcome

from carboy.config.settings import Settings
from carboy.di.lifecycle import opened
from carboy.mail.templating import MailTemplates
from carboy.testing import drain, override
from containers import Container


@pytest_asyncio.fixture
async def server() -> AsyncIterator[MailServer]:
    async with mail_server() as server:
        yield server


@pytest_asyncio.fixture
async def container(
    settings: Settings, database_url: str, server: MailServer, mail_templates: MailTemplates
) -> AsyncIterator[Container]:
    container = Container()
    mail = settings.mail.model_copy(update={"transport": "smtp", "host": HOST, "port": server.port, "security": "none"})
    real = settings.model_copy(update={"database": database_settings(database_url), "mail": mail})
    with override(container, settings=real, mail_templates=mail_templates):
        async with opened(container):
            yield container


async def test_a_transaction_that_commits_sends_one_mail_and_one_that_rolls_back_none(
    container: Container, server: MailServer
) -> None:
    async def send(*, fails: bool) -> None:
        await container.mailer().send(welcome("eve@example.org" if fails else "ada@example.org"))
        if fails:
            raise RuntimeError("after the mail")

    with pytest.raises(RuntimeError, match="after the mail"):
        await container.database().write(lambda: send(fails=True))
    await container.database().write(lambda: send(fails=False))
    assert server.received == []
    assert await drain(container) == 1
    assert [received.rcpt_tos for received in server.received] == [["ada@example.org"]]
    assert await drain(container) == 0


async def test_a_mail_whose_receipt_was_lost_is_sent_again_and_can_be_recognised(
    container: Container, server: MailServer
) -> None:
    await container.mailer().send(welcome())
    server.loses_receipts = True
    await drain(container)
    server.loses_receipts = False
    later = datetime.now(UTC) + timedelta(minutes=1)
    with override(container, clock=providers.Object(lambda: later)):
        await drain(container)
    first, second = server.messages
    assert first["Message-ID"] == second["Message-ID"]
    assert first["Date"] == second["Date"]
