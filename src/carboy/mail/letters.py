"""A mail as text, and the message that is made of it."""

from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from typing import Annotated

import idna
from email_validator import validate_email
from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints, field_validator

from carboy.schemas import Prose, Text
from carboy.schemas.emails import address_of
from carboy.schemas.text import of_sane_length, without_control_characters


def _mailable(text: str) -> str:
    # Whether mail at special domains is wanted was decided where the address came in.
    return address_of(text, allows_special_use=True)


Recipient = Annotated[
    str, AfterValidator(of_sane_length), AfterValidator(without_control_characters), AfterValidator(_mailable)
]
"""An address alone, without a display name. Line breaks and other control characters are refused."""


class Letter(BaseModel):
    """A mail that is written and ready to send: it stays the same however often it is tried.

    Attributes:
        id: What its Message-ID begins with. Whoever gets the mail twice can tell by it (RFC 5322 section 3.6.4).
    """

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    id: str
    date: datetime
    to: Recipient
    subject: Annotated[Text, StringConstraints(min_length=1)]
    text: Prose
    html: Prose

    @field_validator("subject")
    @classmethod
    def _is_what_it_says(cls, subject: str) -> str:
        # `=?utf-8?q?hello=0D=0ABcc:...?=` has no line break yet. Python's header parser decodes it into one, and
        # versions before 3.11.10 and 3.12.5 write that as it is (CVE-2024-6923).
        if SMTP.header_factory("Subject", subject) != subject:
            raise ValueError("must not be an encoded word")
        return subject


def message_of(letter: Letter, sender: Address) -> EmailMessage:
    """Return the message: ASCII alone but for a local part that is not, so that any server passes it on unchanged."""
    message = EmailMessage(policy=SMTP)
    message["From"] = sender
    message["To"] = _to_ascii(letter.to)
    message["Subject"] = letter.subject
    message["Date"] = letter.date
    message["Message-ID"] = f"<{letter.id}@{sender.domain}>"
    # No vacation notice shall answer it (RFC 3834 section 5).
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(letter.text, cte="quoted-printable")
    message.add_alternative(letter.html, subtype="html", cte="quoted-printable")
    return message


def sender_of(text: str) -> Address:
    """Return a sender that is spelt as ``Carboy <no-reply@example.org>``, or as an address alone.

    Raises:
        ValueError: It is not.
    """
    found = validate_email(text, allow_display_name=True, check_deliverability=False)
    return Address(found.display_name or "", found.local_part, found.ascii_domain)


def _to_ascii(address: str) -> Address:
    # Of a domain that is not ASCII Python would make an encoded word, which no address may hold.
    local, _, domain = address.rpartition("@")
    return Address("", local, idna.encode(domain, uts46=True).decode())
