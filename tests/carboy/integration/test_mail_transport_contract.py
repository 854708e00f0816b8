"""What each transport of mail promises: by SMTP to a server, to files, and in memory for tests."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from pathlib import Path

import pytest
import pytest_asyncio
from support.mail_server import HOST, mail_server

from carboy.config.settings import Settings
from carboy.mail.errors import MailRefusedError
from carboy.mail.letters import Letter, message_of
from carboy.mail.transports import FilesTransport, MailFolder, MemoryTransport, SmtpTransport, Transport

SENDER = Address("Carboy", "no-reply", "example.org")
Subject = tuple[Transport, Callable[[], list[EmailMessage]]]


def letter(**changes: str) -> Letter:
    values = {"to": "ada@example.org", "subject": "Grüße", "text": "Grüße.\n", "html": "<p>Grüße.</p>\n"}
    return Letter.model_validate({"id": "1", "date": datetime(2026, 11, 27, 9, 30, tzinfo=UTC)} | values | changes)


@pytest_asyncio.fixture(params=["smtp", "files", "memory"])
async def subject(request: pytest.FixtureRequest, settings: Settings, tmp_path: Path) -> AsyncIterator[Subject]:
    """A transport, and what tells which messages have arrived."""
    match request.param:
        case "smtp":
            async with mail_server() as server:
                changes = {"transport": "smtp", "host": HOST, "port": server.port, "security": "none"}
                yield SmtpTransport(settings.mail.model_copy(update=changes), "example.org"), lambda: server.messages
        case "files":
            folder = MailFolder(tmp_path / "mail")
            yield FilesTransport(folder), lambda: [folder.read(name) for name in folder.names()]
        case _:
            memory = MemoryTransport()
            yield memory, lambda: memory.sent


async def test_a_message_arrives_as_it_was_written(subject: Subject) -> None:
    transport, arrived = subject
    text = "Grüße.\n.\n.. and dots\n" + "long " * 500 + "\nFrom here on\n"
    await transport.send(message_of(letter(text=text, html=f"<p>{'ü' * 2000}</p>\n"), SENDER))
    [message] = arrived()
    assert {name: str(message[name]) for name in ("From", "To", "Subject", "Message-ID", "Auto-Submitted")} == {
        "From": "Carboy <no-reply@example.org>",
        "To": "ada@example.org",
        "Subject": "Grüße",
        "Message-ID": "<1@example.org>",
        "Auto-Submitted": "auto-generated",
    }
    assert message["Date"].datetime == datetime(2026, 11, 27, 9, 30, tzinfo=UTC)
    parts = {part.get_content_type(): part.get_content() for part in message.iter_parts()}
    assert {kind: content.replace("\r\n", "\n") for kind, content in parts.items()} == {
        "text/plain": text,
        "text/html": f"<p>{'ü' * 2000}</p>\n",
    }


async def test_an_address_may_have_any_characters(subject: Subject) -> None:
    transport, arrived = subject
    await transport.send(message_of(letter(to="žofie@bücher.example"), SENDER))
    assert [str(message["To"]) for message in arrived()] == ["žofie@xn--bcher-kva.example"]


@pytest.mark.parametrize(
    "changes",
    [
        {"To": None},
        {"To": "ada@example.org, grace@example.org"},
        {"Cc": "grace@example.org"},
        {"Bcc": "grace@example.org"},
        {"From": None},
        {"From": "ada@example.org, grace@example.org"},
        {"To": "ada@bücher.example"},
        {"To": "ada"},
        {"To": "undisclosed:;"},
    ],
    ids=str,
)
async def test_a_message_has_one_sender_and_one_recipient(subject: Subject, changes: dict[str, str | None]) -> None:
    transport, arrived = subject
    message = message_of(letter(), SENDER)
    for name, value in changes.items():
        del message[name]
        if value is not None:
            message[name] = value
    with pytest.raises(MailRefusedError):
        await transport.send(message)
    assert arrived() == []


async def test_messages_arrive_beside_each_other(subject: Subject) -> None:
    transport, arrived = subject
    for number in range(3):
        await transport.send(message_of(letter().model_copy(update={"id": str(number)}), SENDER))
    assert sorted(message["Message-ID"] for message in arrived()) == [f"<{n}@example.org>" for n in range(3)]
