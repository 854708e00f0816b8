"""A mail server on the loopback that takes mail, refuses it, stalls or hangs up, as a test tells it to."""

import asyncio
import ipaddress
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any, cast

from aiosmtpd.smtp import SMTP, AuthResult
from aiosmtpd.smtp import Envelope as Received
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HOST = "127.0.0.1"
USER, PASSWORD = "carboy", "Zq7-correct-Zq7"


class MailServer:
    """What the server does, and what it has got.

    Attributes:
        port: Where it listens.
        received: What it was given for delivery.
        replies: By command (``RCPT``, ``DATA``, ...), what it answers in place of yes.
        stalls_at: The command that it never answers.
        drops_at: The command at which it hangs up.
        loses_receipts: Whether it hangs up once it has a message, before it says so.
        has_stalled: Set when it stalls.
        is_idle: Set while no connection is open.
    """

    def __init__(self) -> None:
        self.port = 0
        self.received: list[Received] = []
        self.replies: dict[str, str] = {}
        self.stalls_at: str | None = None
        self.drops_at: str | None = None
        self.loses_receipts = False
        self.has_stalled = asyncio.Event()
        self.logins: list[bytes] = []
        self.is_idle = asyncio.Event()
        self._connections = 0

    @property
    def messages(self) -> list[EmailMessage]:
        contents = [cast("bytes", one.content) for one in self.received]
        return [message_from_bytes(content, policy=policy.default) for content in contents]

    # The names and arguments of these are aiosmtpd's.

    async def handle_EHLO(  # noqa: N802
        self, server: SMTP, session: Any, envelope: Received, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        return responses

    async def handle_MAIL(  # noqa: N802
        self, server: SMTP, session: Any, envelope: Received, address: str, options: list[str]
    ) -> str:
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return await self._answer(server, "MAIL")

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Any, envelope: Received, address: str, options: list[str]
    ) -> str:
        envelope.rcpt_tos.append(address)
        return await self._answer(server, "RCPT")

    async def handle_DATA(self, server: SMTP, session: Any, envelope: Received) -> str:  # noqa: N802
        reply = await self._answer(server, "DATA")
        if reply.startswith("2"):
            self.received.append(envelope)
        if self.loses_receipts:
            _hang_up(server)
        return reply

    async def handle_QUIT(self, server: SMTP, session: Any, envelope: Received) -> str:  # noqa: N802
        return await self._answer(server, "QUIT", "221 Bye")

    def log_in(self, server: SMTP, session: Any, envelope: Received, mechanism: str, data: Any) -> AuthResult:
        self.logins.append(data.password)
        is_right = (data.login, data.password) == (USER.encode(), PASSWORD.encode())
        return AuthResult(success=is_right, handled=False, message=None if is_right else "535 5.7.8 Wrong password")

    def count(self, opened: int) -> None:
        self._connections += opened
        (self.is_idle.clear if self._connections else self.is_idle.set)()

    async def _answer(self, server: SMTP, command: str, yes: str = "250 OK") -> str:
        if command == self.stalls_at:
            self.has_stalled.set()
            await asyncio.Event().wait()
        if command == self.drops_at:
            _hang_up(server)
        return self.replies.get(command, yes)


def _hang_up(server: SMTP) -> None:
    cast("asyncio.Transport", server.transport).abort()


@asynccontextmanager
async def mail_server(
    certificate: Path | None = None, *, security: str = "starttls", smtputf8: bool = True
) -> AsyncIterator[MailServer]:
    """Serve mail on a free port of the loopback.

    Args:
        certificate: The file of its certificate and key; without one it offers no TLS and no login.
        security: ``starttls``, or ``tls`` from the first byte.
        smtputf8: Whether it takes addresses with others than ASCII characters.
    """
    server, loop = MailServer(), asyncio.get_running_loop()
    tls = None
    if certificate is not None:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(certificate)

    def make() -> SMTP:
        return Counted(
            server,
            hostname="mail.test",
            enable_SMTPUTF8=smtputf8,
            tls_context=tls if security == "starttls" else None,
            auth_require_tls=security == "starttls",
            authenticator=None if tls is None else server.log_in,
            loop=loop,
        )

    listening = await loop.create_server(make, HOST, 0, ssl=tls if security == "tls" else None)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        await listening.wait_closed()


class Counted(SMTP):
    """Counts the connections that are open."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self.transport is None:
            self.event_handler.count(1)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self.event_handler.count(-1)
        super().connection_lost(error)


def make_certificate(file: Path, address: str = HOST) -> Path:
    """Write a certificate for an IP address, signed by itself, and its key to one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a mail server of tests")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    file.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return file
