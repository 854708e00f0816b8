from sqlalchemy import BigInteger, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from carboy.models import Base, Json


class AuditEvent(Base):
    """Something that somebody did. It refers to no other row, as it outlives all of them."""

    __tablename__ = "audit_events"
    __table_args__ = (
        Index(None, "created_at", "id"),
        Index(None, "actor_id", "id"),
        Index(None, "subject_id", "id"),
        Index(None, "event", "id"),
        Base.__table_args__,
    )

    event: Mapped[str] = mapped_column(String(60))
    actor_kind: Mapped[str] = mapped_column(String(20))
    actor_id: Mapped[int | None] = mapped_column(BigInteger)
    """The account that acted; None for an anonymous one and for a command."""
    credential: Mapped[str | None] = mapped_column(String(80))
    """By what it came in, such as ``session 12``."""
    subject_id: Mapped[int | None] = mapped_column(BigInteger)
    """The account that it was done to."""
    target: Mapped[str | None] = mapped_column(String(200))
    """What else it was done to, such as ``role 3``."""
    address: Mapped[str | None] = mapped_column(String(45))
    agent: Mapped[str | None] = mapped_column(String(255))
    details: Mapped[Json | None]
