"""Mail is sent by a job, in the transaction of whoever sends it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from dependency_injector import providers
from jinja2 import TemplateError
from support.mails import *  # noqa: F403 - pytest finds fixtures among the names of a module.
from support.mails import welcome

from carboy.config.settings import Settings
from carboy.jobs import JobRead, State
from carboy.mail import MailNotConfiguredError, MailRefusedError, MailUnavailableError
from carboy.mail.templating import MailTemplates
from carboy.security.encryption import Cipher
from carboy.testing import MemoryDatabase, drain, mailbox, override
from containers import Container


class Clock:
    """The time, and how far a test has set it forward."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def container(
    settings: Settings, database: MemoryDatabase, mail_templates: MailTemplates, clock: Clock
) -> Iterator[Container]:
    container = Container()
    with override(
        container, settings=settings, database=database, mail_templates=mail_templates, clock=providers.Object(clock)
    ):
        yield container


async def only_job(container: Container) -> JobRead:
    [job] = await container.jobs().newest(states=list(State), kind=None, limit=10)
    return job


async def test_a_mail_goes_out_when_its_job_runs(container: Container) -> None:
    await container.mailer().send(welcome())
    assert mailbox(container).sent == []
    await drain(container)
    [mail] = mailbox(container).sent
    assert (mail["From"], mail["To"]) == ("Carboy <no-reply@example.org>", "ada@example.org")
    assert mail["Subject"] == "Welcome, ada"
    assert mail["Message-ID"].endswith("@example.org>")
    assert mail["Auto-Submitted"] == "auto-generated"


async def test_what_is_wrong_with_a_mail_fails_where_it_is_sent(container: Container, mail_folder: Path) -> None:
    with pytest.raises(ValueError, match="subject"):
        await container.mailer().send(welcome(username="ada\r\nBcc: eve@example.org"))
    (mail_folder / "warm_welcome.html").write_text("{{ nickname }}")
    with pytest.raises(TemplateError, match="nickname"):
        await container.mailer().send(welcome())
    assert await drain(container) == 0


async def test_a_letter_waits_encrypted(container: Container, database: MemoryDatabase) -> None:
    await container.mailer().send(welcome(username="s3cret-token"))
    job = await only_job(container)
    assert "ada@example.org" in job.payload
    assert "warm_welcome" in job.payload
    assert "s3cret" not in job.payload


async def test_a_mail_that_is_refused_for_now_is_tried_again_as_it_was(
    container: Container, clock: Clock, mail_folder: Path
) -> None:
    box = mailbox(container)
    box.refusals["ada@example.org"] = MailUnavailableError("451 4.7.1 Greylisted")
    await container.mailer().send(welcome())
    assert await drain(container) == 1
    assert "451 4.7.1 Greylisted" in str((await only_job(container)).history)
    # A release has other templates meanwhile.
    (mail_folder / "warm_welcome.txt").write_text("{{ nickname }}")
    box.refusals.clear()
    clock.ahead = timedelta(minutes=1)
    assert await drain(container) == 1
    assert [mail["Subject"] for mail in box.sent] == ["Welcome, ada"]
    assert (await only_job(container)).state is State.DONE


async def test_a_mail_is_tried_for_a_day(container: Container, clock: Clock) -> None:
    mailbox(container).refusals["ada@example.org"] = MailUnavailableError("421 4.3.2 Stopping")
    await container.mailer().send(welcome())
    tries = 0
    for _ in range(48):
        tries += await drain(container)
        assert (await only_job(container)).state is State.WAITING
        clock.ahead += timedelta(minutes=29)
    assert tries > 40
    clock.ahead += timedelta(hours=1)
    await drain(container)
    assert (await only_job(container)).state is State.DEAD


async def test_a_mail_that_is_refused_for_good_is_a_dead_letter_with_the_reply(container: Container) -> None:
    box = mailbox(container)
    box.refusals["ada@example.org"] = MailRefusedError("550 5.1.1 No such user")
    await container.mailer().send(welcome())
    await drain(container)
    job = await only_job(container)
    assert (job.state, job.attempt) == (State.DEAD, 1)
    assert "550 5.1.1 No such user" in str(job.history)
    box.refusals.clear()
    await container.jobs().retry(job.id)
    await drain(container)
    assert len(box.sent) == 1


async def test_a_letter_whose_key_is_gone_is_a_dead_letter(container: Container) -> None:
    await container.mailer().send(welcome())
    with override(container, cipher=Cipher({"new": b"k" * 32})):
        await drain(container)
        assert (await only_job(container)).state is State.DEAD


async def test_sending_is_an_error_where_there_is_no_mail(container: Container, settings: Settings) -> None:
    none = settings.mail.model_copy(update={"transport": None, "sender": None})
    with (
        override(container, settings=settings.model_copy(update={"mail": none})),
        pytest.raises(MailNotConfiguredError, match=r"mail\.transport"),
    ):
        await container.mailer().send(welcome())
