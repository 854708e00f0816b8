from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from carboy.models.base import Base


class RateLimitCount(Base):
    """How often something was done in a window."""

    __tablename__ = "rate_limit_counts"

    key: Mapped[str] = mapped_column(String(64), unique=True)
    """A digest: names and addresses are not to be read here."""
    count: Mapped[int]
    expires_at: Mapped[datetime] = mapped_column(index=True)
