"""Mail by SMTP, with a mail server on the loopback that takes it, refuses it, stalls, hangs up or offers no TLS."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from pydantic import SecretStr
from support.mail_server import HOST, PASSWORD, USER, MailServer, mail_server, make_certificate

from carboy.config.settings import MailSettings, Settings
from carboy.mail.errors import MailRefusedError, MailUnavailableError
from carboy.mail.letters import Letter, message_of
from carboy.mail.transports.smtp import SmtpTransport

Transports = Callable[..., SmtpTransport]


def message(to: str = "ada@example.org") -> EmailMessage:
    letter = Letter(
        id="1@example.org", date=datetime(2026, 11, 27, tzinfo=UTC), to=to, subject="Hi", text="Hi.", html="<p>Hi.</p>"
    )
    return message_of(letter, Address("Carboy", "no-reply", "example.org"))


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificate(tmp_path_factory.mktemp("certificates") / "mail.pem")


@pytest_asyncio.fixture
async def server(certificate: Path) -> AsyncIterator[MailServer]:
    """A server that takes everything, and offers STARTTLS and a login."""
    async with mail_server(certificate) as server:
        yield server


@pytest.fixture
def transport_to(settings: Settings, certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Transports:
    """Make a transport to a server, whose certificate it trusts."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))

    def transport_to(server: MailServer | int, **changes: Any) -> SmtpTransport:
        port = server if isinstance(server, int) else server.port
        base = {"transport": "smtp", "host": HOST, "port": port, "connect_seconds": 5.0, "total_seconds": 5.0}
        return SmtpTransport(
            MailSettings.model_validate(settings.mail.model_dump() | base | changes), "app.example.org"
        )

    return transport_to


@pytest.fixture
def transport(server: MailServer, transport_to: Transports) -> SmtpTransport:
    return transport_to(server)


async def test_a_mail_goes_over_tls_without_a_word_said_before(server: MailServer, transport: SmtpTransport) -> None:
    await transport.send(message())
    [received] = server.received
    assert (received.mail_from, received.rcpt_tos) == ("no-reply@example.org", ["ada@example.org"])
    assert [one["Message-ID"] for one in server.messages] == ["<1@example.org>"]


@pytest.mark.parametrize("command", ["MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize(
    ("reply", "error"),
    [
        ("450 4.2.0 Greylisted", MailUnavailableError),
        ("421 4.3.2 Stopping", MailUnavailableError),
        ("550 5.1.1 No such user", MailRefusedError),
    ],
)
async def test_a_4xx_reply_is_for_now_and_a_5xx_reply_for_good(
    server: MailServer, transport: SmtpTransport, command: str, reply: str, error: type[Exception]
) -> None:
    server.replies[command] = reply
    with pytest.raises(error, match=rf"^{reply}$"):
        await transport.send(message())
    assert server.received == []
    server.replies.clear()
    await transport.send(message())
    assert len(server.received) == 1


@pytest.mark.parametrize("command", ["MAIL", "RCPT", "DATA"])
async def test_a_server_that_hangs_up_is_tried_again(
    server: MailServer, transport: SmtpTransport, command: str
) -> None:
    server.drops_at = command
    with pytest.raises(MailUnavailableError):
        await transport.send(message())


@pytest.mark.parametrize("command", ["MAIL", "DATA"])
async def test_a_server_that_stalls_is_left_after_the_total_time(
    server: MailServer, transport_to: Transports, command: str
) -> None:
    server.stalls_at = command
    with pytest.raises(MailUnavailableError, match=r"longer than 0\.2 seconds|Timed out"):
        await transport_to(server, total_seconds=0.2).send(message())
    assert server.has_stalled.is_set()


@pytest.mark.parametrize("fault", ["stalls_at", "drops_at"])
async def test_a_mail_that_was_taken_is_sent_whatever_becomes_of_the_good_bye(
    server: MailServer, transport: SmtpTransport, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    monkeypatch.setattr("carboy.mail.transports.smtp.QUIT_SECONDS", 0.05)
    setattr(server, fault, "QUIT")
    await transport.send(message())
    assert len(server.received) == 1


async def test_a_server_without_tls_gets_nothing(transport_to: Transports) -> None:
    async with mail_server() as server:
        with pytest.raises(MailUnavailableError, match="STARTTLS"):
            await transport_to(server).send(message())
        assert server.received == []
        await transport_to(server, security="none").send(message())
        assert len(server.received) == 1


async def test_tls_from_the_first_byte(certificate: Path, transport_to: Transports) -> None:
    async with mail_server(certificate, security="tls") as server:
        await transport_to(server, security="tls").send(message())
        assert len(server.received) == 1


@pytest.mark.parametrize("security", ["starttls", "tls"])
@pytest.mark.parametrize("address", [HOST, "192.0.2.1"], ids=["unknown", "of another address"])
async def test_a_server_with_a_wrong_certificate_gets_nothing(
    transport_to: Transports, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, security: str, address: str
) -> None:
    other = make_certificate(tmp_path / "other.pem", address)
    if address != HOST:
        monkeypatch.setenv("SSL_CERT_FILE", str(other))
    async with mail_server(other, security=security) as server:
        with pytest.raises(MailUnavailableError, match=r"(?i)certificate"):
            await transport_to(server, security=security).send(message())
        assert server.received == []


async def test_the_login_is_over_tls(server: MailServer, transport_to: Transports) -> None:
    await transport_to(server, user=USER, password=SecretStr(PASSWORD)).send(message())
    assert (server.logins, len(server.received)) == ([PASSWORD.encode()], 1)


async def test_a_check_logs_in_and_sends_nothing(server: MailServer, transport_to: Transports) -> None:
    await transport_to(server, user=USER, password=SecretStr(PASSWORD)).check()
    assert (server.logins, server.received) == ([PASSWORD.encode()], [])
    with pytest.raises(MailUnavailableError, match="535"):
        await transport_to(server, user=USER, password=SecretStr("Zq7-wrong")).check()


async def test_a_wrong_login_is_tried_again_as_the_next_mail_would_meet_it_too(
    server: MailServer, transport_to: Transports
) -> None:
    with pytest.raises(MailUnavailableError, match=r"^535 5\.7\.8") as raised:
        await transport_to(server, user=USER, password=SecretStr("Zq7-wrong")).send(message())
    assert "Zq7-wrong" not in repr(raised.value.__cause__)
    assert server.received == []


async def test_an_address_with_other_characters_needs_smtputf8(certificate: Path, transport_to: Transports) -> None:
    async with mail_server(certificate) as server:
        await transport_to(server).send(message("žofie@bücher.example"))
        [received] = server.received
        assert received.rcpt_tos == ["žofie@xn--bcher-kva.example"]
        assert "SMTPUTF8" in received.mail_options
        assert server.messages[0]["To"] == "žofie@xn--bcher-kva.example"
    async with mail_server(certificate, smtputf8=False) as server:
        with pytest.raises(MailRefusedError, match="others than ASCII"):
            await transport_to(server).send(message("žofie@bücher.example"))
        await transport_to(server).send(message("sofie@bücher.example"))
        assert [one.rcpt_tos for one in server.received] == [["sofie@xn--bcher-kva.example"]]


async def test_nobody_who_listens_is_tried_again(transport_to: Transports) -> None:
    async with mail_server() as server:
        pass
    with pytest.raises(MailUnavailableError, match="cannot be used"):
        await transport_to(server.port).send(message())


@pytest.mark.parametrize("greeting", [b"", b"554 No mail here\r\n", b"nonsense\r\n", b"220 " + b"x" * 100_000])
async def test_a_server_that_speaks_no_smtp_is_tried_again(transport_to: Transports, greeting: bytes) -> None:
    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting)
        writer.close()

    listening = await asyncio.start_server(serve, HOST, 0)
    async with listening:
        with pytest.raises(MailUnavailableError):
            await transport_to(listening.sockets[0].getsockname()[1]).send(message())


async def test_a_caller_who_is_cancelled_leaves_no_connection(server: MailServer, transport: SmtpTransport) -> None:
    server.stalls_at = "DATA"
    sending = asyncio.create_task(transport.send(message()))
    await server.has_stalled.wait()
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    await server.is_idle.wait()
