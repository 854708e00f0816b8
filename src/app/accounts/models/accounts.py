from datetime import datetime

from sqlalchemy import String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.accounts.models.roles import Role
from app.accounts.schemas.kinds import AccountKind, Purpose
from app.users.models import User
from carboy.models import Base, KeyText, choice, reference


class Account(Base):
    """Who can come in: a person, who is a user too, or a service, which has keys alone.

    What belongs to somebody refers to an account, so that a team may own it one day.
    """

    __tablename__ = "accounts"

    kind: Mapped[AccountKind] = choice(AccountKind)
    user_id: Mapped[int | None] = reference("users.id", ondelete="CASCADE", index=False, unique=True)
    """The profile of a person; null for a service."""
    name: Mapped[str | None] = mapped_column(String(80))
    """That of a service; null for a person, whose user has one."""
    name_key: Mapped[str | None] = mapped_column(KeyText, unique=True)
    disabled_at: Mapped[datetime | None]
    email_verified_at: Mapped[datetime | None]
    """When the person showed that the address of the user is theirs; null until then, and after it was changed."""

    user: Mapped[User | None] = relationship(lazy="raise")
    roles: Mapped[list[Role]] = relationship(secondary="account_roles", lazy="raise", info={"value": "name"})


class OneTimeToken(Base):
    """A token of a link, which works once: it is deleted when it is used, and when what it is bound to changes."""

    __tablename__ = "one_time_tokens"

    purpose: Mapped[Purpose] = choice(Purpose)
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    account_id: Mapped[int | None] = reference("accounts.id", ondelete="CASCADE")
    """Whose it is; null for an invitation."""
    email: Mapped[str | None] = mapped_column(Text)
    """The address that it proves."""
    role: Mapped[str | None] = mapped_column(Text)
    """The role that an invitation brings."""
    expires_at: Mapped[datetime] = mapped_column(index=True)
