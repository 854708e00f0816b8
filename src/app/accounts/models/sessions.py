from datetime import datetime

from sqlalchemy import String, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.accounts.schemas.kinds import SessionState, TokenKind
from carboy.models import Base, Whole, choice, reference


class Session(Base):
    """A login, by page or API. Ending it deletes it, and its tokens with it."""

    __tablename__ = "sessions"

    account_id: Mapped[int | None] = reference("accounts.id", ondelete="CASCADE")
    """Null before a login: a form belongs to a session too, which the login destroys."""
    state: Mapped[SessionState] = choice(SessionState)
    has_second_factor: Mapped[bool] = mapped_column(default=False)
    device: Mapped[str | None] = mapped_column(String(80))
    """What its owner calls it."""
    address: Mapped[str | None] = mapped_column(String(45))
    agent: Mapped[str | None] = mapped_column(String(255))
    scopes: Mapped[str | None] = mapped_column(Text)
    """What it is limited to, with blanks between them; null if to nothing."""
    authenticated_at: Mapped[datetime]
    """When a password or a second factor was last shown in it."""
    last_seen_at: Mapped[datetime]
    """Written at most once a minute."""
    idle_seconds: Mapped[Whole]
    idle_expires_at: Mapped[datetime] = mapped_column(index=True)
    expires_at: Mapped[datetime]
    failures: Mapped[Whole] = mapped_column(default=0)
    """Wrong codes of the second factor: after a few of them the login has to begin anew (ASVS 5.0 6.6.3)."""
    flash: Mapped[str | None] = mapped_column(Text)
    """What the next page is to say."""


class SessionToken(Base):
    """A token of a session. Those that were used up stay until they expire, as that is how a stolen one is noticed."""

    __tablename__ = "session_tokens"

    session_id: Mapped[int] = reference("sessions.id", ondelete="CASCADE")
    kind: Mapped[TokenKind] = choice(TokenKind)
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    parent_id: Mapped[int | None] = reference("session_tokens.id", ondelete="SET NULL")
    """The refresh token that it was given for."""
    consumed_at: Mapped[datetime | None]
    expires_at: Mapped[datetime] = mapped_column(index=True)
