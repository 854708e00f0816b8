"""Hands messages to a mail server by SMTP (RFC 5321, RFC 6409)."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from email.message import EmailMessage

from aiosmtplib import (
    SMTP,
    SMTPDataError,
    SMTPException,
    SMTPNotSupported,
    SMTPRecipientRefused,
    SMTPRecipientsRefused,
    SMTPResponseException,
    SMTPSenderRefused,
)

from carboy.config.settings import MailSettings
from carboy.mail.errors import MailError, MailRefusedError, MailUnavailableError
from carboy.mail.transports.base import bytes_of, envelope_of

QUIT_SECONDS = 2.0
"""The longest wait for the server's good-bye, when it already has the message."""
MAX_REPLY = 500
"""Characters of a server's reply that an error repeats."""
PERMANENT = range(500, 600)

OF_THE_MESSAGE = (SMTPSenderRefused, SMTPRecipientRefused, SMTPDataError)
"""Replies to MAIL, RCPT and DATA. Any other is about the connection, and the next mail would get it too."""


class SmtpTransport:
    """Opens a connection for each message.

    Unless `security` is ``none``, nothing but EHLO and STARTTLS is sent before TLS has begun with a server whose
    certificate is valid: a server that offers no STARTTLS, or somebody on the way who takes the offer out, gets no mail
    and no password.

    Args:
        settings: Which server, and how.
        local_hostname: What to call oneself in EHLO.
    """

    def __init__(self, settings: MailSettings, local_hostname: str) -> None:
        self._settings = settings
        self._local_hostname = local_hostname
        # Reading the certificates takes some 20 ms.
        self._tls = ssl.create_default_context()

    async def send(self, message: EmailMessage) -> None:
        """Hand a message to the mail server.

        Raises:
            MailRefusedError: A 5xx reply to the message, or its local part is not ASCII and the server has no SMTPUTF8.
            MailUnavailableError: A 4xx reply to the message, or anything that went wrong before it: the name, the
                connection, TLS, the login. If the connection is lost after the message, the server may have it.
        """
        envelope = envelope_of(message)
        content = bytes_of(message, envelope)
        options = [] if envelope.is_ascii else ["SMTPUTF8"]
        await self._connected(
            lambda client: client.sendmail(envelope.sender, envelope.recipient, content, mail_options=options)
        )

    async def check(self) -> None:
        """Connect and log in, as for a message.

        Raises:
            MailUnavailableError: The mail server cannot be used.
        """
        await self._connected(lambda client: client.noop())

    async def _connected(self, speak: Callable[[SMTP], Awaitable[object]]) -> None:
        client = self._client()
        try:
            async with asyncio.timeout(self._settings.total_seconds):
                await client.connect(timeout=self._settings.connect_seconds)
                await speak(client)
            await _leave(client)
        except (SMTPException, OSError) as error:
            raise self._meaning(error) from error
        finally:
            client.close()

    def _client(self) -> SMTP:
        settings = self._settings
        return SMTP(
            hostname=settings.host,
            port=settings.port,
            username=settings.user,
            password=None if settings.password is None else settings.password.get_secret_value(),
            local_hostname=self._local_hostname,
            # Each reply in the time of all: one limit is enough.
            timeout=settings.total_seconds,
            use_tls=settings.security == "tls",
            # Its default is to go on in the clear where the server does not offer TLS.
            start_tls=settings.security == "starttls",
            tls_context=self._tls,
        )

    def _meaning(self, error: SMTPException | OSError) -> MailError:
        if isinstance(error, SMTPRecipientsRefused):
            [error] = error.recipients
        if isinstance(error, OF_THE_MESSAGE) and error.code in PERMANENT:
            return MailRefusedError(_reply(error))
        if isinstance(error, SMTPNotSupported):
            return MailRefusedError("The mail server takes no addresses with others than ASCII characters.")
        if isinstance(error, SMTPResponseException):
            return MailUnavailableError(_reply(error))
        if type(error) is TimeoutError:
            return MailUnavailableError(f"The mail server took longer than {self._settings.total_seconds:g} seconds.")
        return MailUnavailableError(f"The mail server cannot be used: {error}")


def _reply(error: SMTPResponseException) -> str:
    text = " ".join(error.message.encode(errors="replace").decode().split())
    return f"{error.code} {text}"[:MAX_REPLY]


async def _leave(client: SMTP) -> None:
    """Say good-bye, as RFC 5321 wants (section 4.1.1.10). The message is handed over, whatever becomes of this."""
    with suppress(SMTPException, OSError):
        async with asyncio.timeout(QUIT_SECONDS):
            await client.quit()
