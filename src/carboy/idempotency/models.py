from datetime import datetime

from sqlalchemy import JSON, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from carboy.models.base import Base


class IdempotencyKey(Base):
    """The stored answer to a request with an Idempotency-Key, replayed until it expires."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (UniqueConstraint("scope", "key"), {"sqlite_autoincrement": True})

    scope: Mapped[str] = mapped_column(Text)
    """What the key is unique in: clients choose keys without knowing each other's."""
    key: Mapped[str] = mapped_column(String(255))
    fingerprint: Mapped[str] = mapped_column(Text)
    """A digest of the request, which tells whether another one comes with the same key."""
    status: Mapped[int]
    headers: Mapped[dict[str, str]] = mapped_column(JSON)
    body: Mapped[str] = mapped_column(Text)
    expires_at: Mapped[datetime] = mapped_column(index=True)
