from datetime import datetime

from app.accounts.schemas.kinds import SessionState
from carboy.schemas.base import PageQuery, Record


class SessionRead(Record):
    """A login."""

    device: str | None
    """What its owner calls it."""
    address: str | None
    agent: str | None
    """What the client says that it is."""
    scopes: str | None
    """What it is limited to, with blanks between them; null if to nothing."""
    has_second_factor: bool
    state: SessionState
    authenticated_at: datetime
    last_seen_at: datetime
    """To the minute."""
    expires_at: datetime
    created_at: datetime


class SessionQuery(PageQuery):
    """Which of the account's sessions a list shows."""
