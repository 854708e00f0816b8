"""Keeps messages in memory, for tests."""

from email import message_from_bytes, policy
from email.message import EmailMessage

from carboy.mail.errors import MailError
from carboy.mail.transports.base import bytes_of, envelope_of


class MemoryTransport:
    """Keeps what was sent, as its recipient would read it.

    Attributes:
        sent: The messages, in the order in which they were sent.
        refusals: What to raise for mail to an address: a `MailRefusedError` or a `MailUnavailableError`.
    """

    def __init__(self) -> None:
        self.sent: list[EmailMessage] = []
        self.refusals: dict[str, MailError] = {}

    async def send(self, message: EmailMessage) -> None:
        """Keep a message, or raise what `refusals` has for its recipient."""
        envelope = envelope_of(message)
        refusal = self.refusals.get(envelope.recipient)
        if refusal is not None:
            raise refusal
        # Written and read again, so that what cannot be written fails here too.
        received = message_from_bytes(bytes_of(message, envelope), policy=policy.default)
        self.sent.append(received)
