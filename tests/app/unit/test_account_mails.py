"""Each mail of accounts has its templates, and a link where it holds a token."""

import logging

import pytest
from support.accounts import ADMIN
from support.people import add_person

from app.accounts import mails
from app.accounts.mails import Post
from carboy.di.lifecycle import opened
from carboy.mail import Mail, Mailer
from carboy.testing import drain, mailbox, override
from containers import Container

VALUES = {"to": "ada@example.org", "username": "ada", "token": "TOKEN", "minutes": 10, "days": 7, "is_on": True}
KINDS = [
    kind for kind in vars(mails).values() if isinstance(kind, type) and issubclass(kind, Mail) and kind is not Mail
]


@pytest.mark.parametrize("kind", KINDS)
def test_a_mail_is_written(container: Container, kind: type[Mail]) -> None:
    letter = container.mail_templates().render(kind(**{name: VALUES[name] for name in kind.model_fields}))
    assert letter.subject
    for body in (letter.text, letter.html):
        assert ("TOKEN" in body) == ("token" in kind.model_fields)
        assert "{{" not in body


async def test_a_reset_is_mailed_by_a_job(container: Container) -> None:
    with override(container, post=Post(container.mailer())):
        async with opened(container):
            await add_person(container)
            await container.password_service().request_reset(ADMIN, "ada@example.org")
            await drain(container)
            assert [mail["To"] for mail in mailbox(container).sent] == ["ada@example.org"]


async def test_without_mail_the_log_says_what_is_not_sent(
    container: Container, caplog: pytest.LogCaptureFixture
) -> None:
    jobs, templates, cipher = container.jobs(), container.mail_templates(), container.cipher()
    with caplog.at_level(logging.WARNING):
        await Post(Mailer(jobs, templates, cipher, None, None)).send(mails.PasswordChanged(to="a@b.org", username="a"))
    assert "password_changed is not sent" in caplog.text
