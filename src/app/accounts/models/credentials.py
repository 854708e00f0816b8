from datetime import datetime

from sqlalchemy import BigInteger, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.accounts.schemas.kinds import CredentialKind
from carboy.models import Base, choice, reference


class Credential(Base):
    """One thing by which a person comes in: a password, a second factor, or a recovery code."""

    __tablename__ = "credentials"
    __table_args__ = (Index(None, "account_id", "kind"), Base.__table_args__)

    account_id: Mapped[int] = reference("accounts.id", ondelete="CASCADE", index=False)
    kind: Mapped[CredentialKind] = choice(CredentialKind)
    secret: Mapped[str] = mapped_column(Text)
    """A password's argon2id hash, the encrypted seed of a second factor, or a recovery code's digest."""
    last_step: Mapped[int | None] = mapped_column(BigInteger)
    """Of a second factor, the time step of the last code that was accepted: a code works once."""
    confirmed_at: Mapped[datetime | None]
    """Since when it counts. A second factor does when its first code has been shown."""


class ApiKey(Base):
    """A key by which a program comes in, as a person or as a service. Revoking deletes it."""

    __tablename__ = "api_keys"

    account_id: Mapped[int] = reference("accounts.id", ondelete="CASCADE")
    name: Mapped[str] = mapped_column(String(80))
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    scopes: Mapped[str | None] = mapped_column(Text)
    """What it is limited to, with blanks between them; null if to nothing."""
    has_second_factor: Mapped[bool] = mapped_column(default=False)
    """Whether the session that made it was begun with one: it stands in for that where a role wants it."""
    expires_at: Mapped[datetime | None] = mapped_column(index=True)
    last_used_at: Mapped[datetime | None]
    last_address: Mapped[str | None] = mapped_column(String(45))
