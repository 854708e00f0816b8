import re
import unicodedata
from datetime import datetime
from typing import Annotated

from pydantic import MISSING, AfterValidator, StringConstraints

from carboy.schemas import Text, emails
from carboy.schemas.base import Change, Input, PageQuery, Record, sort_by
from carboy.schemas.text import Described, Search


def _normalised(text: str) -> str:
    """Return the one spelling of text that looks alike: NFKC, which RFC 8265 and Django use for names."""
    return unicodedata.normalize("NFKC", text)


UNSEEN = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\uffa0\ufe00-\ufe0f\U000e0000-\U000e0fff]")
"""What Python calls printable and nobody sees: default ignorable code points (RFC 8264 section 9.13), a blank."""


def _visible(text: str) -> str:
    # RFC 8265 section 3.2 leaves out what cannot be seen: two names must not look alike that are not.
    if any(character.isspace() or not character.isprintable() for character in text) or UNSEEN.search(text):
        raise ValueError("must not contain spaces or invisible characters")
    return text


# Lengths are those of the normalised text, as that is what is stored.
Username = Annotated[
    Text,
    AfterValidator(_normalised),
    AfterValidator(_visible),
    StringConstraints(min_length=1, max_length=80),
    Described(
        format="username",
        description="Unique without regard to case; has neither spaces nor characters that cannot be seen.",
        examples=["ada"],
    ),
]
Email = Annotated[
    emails.Email,
    StringConstraints(max_length=120),
    Described(description="Unique without regard to case.", examples=["ada@example.org"]),
]
FullName = Annotated[
    Text,
    AfterValidator(_normalised),
    StringConstraints(max_length=200),
    Described(examples=["Ada Lovelace"]),
]


class UserCreate(Input):
    username: Username
    email: Email
    full_name: FullName | None = None
    active: bool = True


class UserUpdate(Change):
    """A partial change: omitted fields keep their values. A null full name clears it."""

    username: Username | MISSING = MISSING
    email: Email | MISSING = MISSING
    full_name: FullName | MISSING | None = MISSING
    active: bool | MISSING = MISSING


class UserRead(Record):
    """A person or program that uses the API."""

    username: str
    email: str
    full_name: str | None
    active: bool
    created_at: datetime
    updated_at: datetime
    version: int
    """Counts the changes, from 1; the ETag holds it."""


class UserQuery(PageQuery):
    """Which users a list shows; case makes no difference."""

    sort: Annotated[str, sort_by(created="created_at", username="username_key", email="email_key")] = "id"
    q: Search | None = None
    """Only users with this text in their username, email address or full name."""
    username: Username | None = None
    """Only the user with this username."""
    email: Email | None = None
    """Only the user with this email address."""
    active: bool | None = None
    """Only users that are active, or only those that are not."""
