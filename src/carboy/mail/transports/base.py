"""What a transport of mail promises."""

from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from typing import Protocol

from carboy.mail.errors import MailRefusedError


class Transport(Protocol):
    """Hands messages over: to a mail server, to a folder, or to a test.

    One message goes to one recipient, so that a retry never repeats it to somebody who already has it.
    """

    async def send(self, message: EmailMessage) -> None:
        """Hand a message over; on return whoever delivers it has it.

        Raises:
            MailRefusedError: It will never be taken.
            MailUnavailableError: It was not taken now, or nobody knows whether it was.
        """


@dataclass(frozen=True)
class Envelope:
    """From whom to whom a message goes (RFC 5321 section 2.3.1)."""

    sender: str
    recipient: str

    @property
    def is_ascii(self) -> bool:
        """Whether any mail server takes it; otherwise it must know SMTPUTF8 (RFC 6531)."""
        return self.sender.isascii() and self.recipient.isascii()


def envelope_of(message: EmailMessage) -> Envelope:
    """Return the envelope that a message's headers tell.

    Raises:
        MailRefusedError: It has not exactly one sender and one recipient, or one that is no address.
    """
    sender = _only("From", message, "From")
    return Envelope(sender, _only("recipient", message, "To", "Cc", "Bcc"))


def bytes_of(message: EmailMessage, envelope: Envelope) -> bytes:
    """Return a message as SMTP sends it: lines end with CR LF."""
    return message.as_bytes(policy=SMTP if envelope.is_ascii else SMTPUTF8)


def _only(what: str, message: EmailMessage, *headers: str) -> str:
    found = [address for name in headers for header in message.get_all(name, []) for address in header.addresses]
    if len(found) != 1:
        raise MailRefusedError(f"A message has one {what}, this one {len(found)}.")
    [address] = found
    if not isinstance(address, Address) or not address.username or not address.domain.isascii() or not address.domain:
        raise MailRefusedError(f"{what} is no address with a domain in ASCII.")
    return address.addr_spec
