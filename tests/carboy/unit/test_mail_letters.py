"""What may stand in a mail: no header is ever injected."""

from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest

from carboy.mail.letters import Letter, message_of, sender_of

HEADERS = ["From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type"]


def letter(**changes: object) -> Letter:
    values = {"to": "ada@example.org", "subject": "Hi", "text": "Hi.", "html": "<p>Hi.</p>"}
    return Letter.model_validate({"id": "1", "date": datetime(2026, 11, 27, tzinfo=UTC)} | values | changes)


def received(written: Letter, sender: str = "Carboy <no-reply@example.org>") -> EmailMessage:
    return message_from_bytes(message_of(written, sender_of(sender)).as_bytes(), policy=policy.default)


@pytest.mark.parametrize(
    "subject",
    [
        "Hi\r\nBcc: eve@example.org",
        "Hi\nBcc: eve@example.org",
        "Hi\rBcc: eve@example.org",
        "Hi\x0bBcc: eve@example.org",
        "Hi\u2028Bcc: eve@example.org",
        "Hi\0",
        "=?utf-8?q?Hi=0D=0ABcc:_eve@example.org?=",
        "Hi =?utf-8?b?SGkNCkJjYzogZXZlQGV4YW1wbGUub3Jn?= Grüße",
        "\ud800",
    ],
)
def test_a_subject_that_could_be_more_than_one_line_is_refused(subject: str) -> None:
    with pytest.raises(ValueError, match="subject"):
        letter(subject=subject)


@pytest.mark.parametrize("subject", ["What=?", "a  b", "Grüße, 😀", "x" * 1500, "Grüße " * 100 + ".", "a: b; c=d, <e>"])
def test_any_other_subject_arrives_as_it_is(subject: str) -> None:
    message = received(letter(subject=subject))
    assert (message["Subject"], message.keys()) == (subject, HEADERS)


@pytest.mark.parametrize(
    "to",
    [
        "ada@example.org\r\nBcc: eve@example.org",
        "ada@example.org\n",
        "ada@example.org, eve@example.org",
        "Ada <ada@example.org>",
        "ada@example.org> SIZE=1",
        "ada",
        "",
        "=?utf-8?q?ada=0D=0ABcc:?=@example.org",
        "ada@exa mple.org",
        '"ada\r\n"@example.org',
    ],
)
def test_what_is_not_one_address_is_refused(to: str) -> None:
    with pytest.raises(ValueError, match="to") as raised:
        letter(to=to)
    assert "eve" not in str(raised.value)


@pytest.mark.parametrize(
    ("to", "written"),
    [
        ("ada@bücher.example", "ada@xn--bcher-kva.example"),
        ("ada@straße.de", "ada@xn--strae-oqa.de"),
        ("ada@mail.test", "ada@mail.test"),
        ("Ada@Example.ORG", "ada@example.org"),
        ("o'hara+tag@example.org", "o'hara+tag@example.org"),
    ],
)
def test_a_domain_is_written_in_ascii(to: str, written: str) -> None:
    message = received(letter(to=to))
    assert (message["To"], message.keys()) == (written, HEADERS)


def test_a_sender_has_a_name_of_any_characters() -> None:
    message = received(letter(), sender='"Café, Carboy" <no-reply@bücher.example>')
    [sender] = message["From"].addresses
    assert (sender.display_name, sender.addr_spec) == ("Café, Carboy", "no-reply@xn--bcher-kva.example")
    assert message["Message-ID"] == "<1@xn--bcher-kva.example>"


@pytest.mark.parametrize("part", ["text", "html"])
@pytest.mark.parametrize("content", ["\0", "\ud800"])
def test_a_body_that_cannot_be_written_is_refused(part: str, content: str) -> None:
    with pytest.raises(ValueError, match=part):
        letter(**{part: content})
