from sqlalchemy import String, Text
from sqlalchemy.orm import Mapped, mapped_column

from carboy.models.base import Base


class User(Base):
    """A person or program that uses the API.

    The ``_key`` columns hold the case-folded spelling, so that two names that differ only in case cannot both exist:
    databases disagree on what lower case is outside ASCII.
    """

    __tablename__ = "users"

    username: Mapped[str] = mapped_column(String(80))
    username_key: Mapped[str] = mapped_column(Text, unique=True)
    email: Mapped[str] = mapped_column(String(120))
    email_key: Mapped[str] = mapped_column(Text, unique=True)
    full_name: Mapped[str | None] = mapped_column(String(200))
    active: Mapped[bool] = mapped_column(default=True)
