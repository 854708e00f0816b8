from datetime import datetime

from app.accounts.schemas.common import Name, Scopes
from carboy.schemas import Moment
from carboy.schemas.base import Input, PageQuery, Record


class ApiKeyRead(Record):
    """A key by which a program comes in. What it consists of is never shown again."""

    name: str
    scopes: str | None
    """What it is limited to, with blanks between them; null if to nothing."""
    expires_at: datetime | None
    last_used_at: datetime | None
    """To the minute."""
    last_address: str | None
    created_at: datetime


class ApiKeyIssued(ApiKeyRead):
    """A new key."""

    key: str
    """The key itself, which is shown this once."""


class ApiKeyQuery(PageQuery):
    """Which of the account's keys a list shows."""


class ApiKeyCreate(Input):
    name: Name
    scopes: Scopes | None = None
    expires_at: Moment | None = None
