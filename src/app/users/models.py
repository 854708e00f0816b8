from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from carboy.models import Base, KeyText


class User(Base):
    """A person or program that uses the API.

    The ``_key`` columns hold the case-folded spelling, so that two names that differ only in case cannot both exist:
    databases disagree on what lower case is outside ASCII. The domain of an email address is spelt by IDNA 2008 there.
    They are also what is sorted by and searched in.
    """

    __tablename__ = "users"
    # The id, as users who were imported together may have been created at the same moment.
    __table_args__ = (Index(None, "created_at", "id"), Base.__table_args__)
    __search__ = ("username_key", "email_key", "full_name_key")

    username: Mapped[str] = mapped_column(String(80))
    username_key: Mapped[str] = mapped_column(KeyText, unique=True)
    email: Mapped[str] = mapped_column(String(120))
    email_key: Mapped[str] = mapped_column(KeyText, unique=True)
    full_name: Mapped[str | None] = mapped_column(String(200))
    full_name_key: Mapped[str | None] = mapped_column(KeyText)
    active: Mapped[bool] = mapped_column(default=True)
