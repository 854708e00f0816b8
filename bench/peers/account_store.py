"""Who holds a token, and what they may do, looked up with SQLAlchemy: session, account, roles and permissions."""

from datetime import UTC, datetime
from hashlib import sha256

from sqlalchemy import Column, ForeignKey, Table, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from bench.peers.store import Base, UtcDateTime

account_roles = Table(
    "account_roles",
    Base.metadata,
    Column("accounts_id", ForeignKey("accounts.id"), primary_key=True),
    Column("roles_id", ForeignKey("roles.id"), primary_key=True),
)
role_permissions = Table(
    "role_permissions",
    Base.metadata,
    Column("roles_id", ForeignKey("roles.id"), primary_key=True),
    Column("permissions_id", ForeignKey("permissions.id"), primary_key=True),
)


class Permission(Base):
    __tablename__ = "permissions"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Account(Base):
    __tablename__ = "accounts"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    user_id: Mapped[int | None]
    disabled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class Session(Base):
    __tablename__ = "sessions"

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"))
    state: Mapped[str]
    idle_expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)


class SessionToken(Base):
    __tablename__ = "session_tokens"

    id: Mapped[int] = mapped_column(primary_key=True)
    session_id: Mapped[int] = mapped_column(ForeignKey("sessions.id"))
    kind: Mapped[str]
    digest: Mapped[str]
    consumed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Role(Base):
    __tablename__ = "roles"

    id: Mapped[int] = mapped_column(primary_key=True)


async def find_account(session: AsyncSession, token: str) -> tuple[Account, frozenset[str]] | None:
    """Return the account that a token belongs to, and its permissions; None if the token is not valid."""
    now = datetime.now(UTC)
    statement = (
        select(Account, Permission.name)
        .join(Session, Session.account_id == Account.id)
        .join(SessionToken, SessionToken.session_id == Session.id)
        .outerjoin(account_roles, account_roles.c.accounts_id == Account.id)
        .outerjoin(role_permissions, role_permissions.c.roles_id == account_roles.c.roles_id)
        .outerjoin(Permission, Permission.id == role_permissions.c.permissions_id)
        .where(
            SessionToken.digest == sha256(token.encode()).hexdigest(),
            SessionToken.kind == "access",
            SessionToken.consumed_at.is_(None),
            SessionToken.expires_at > now,
            Session.state == "full",
            Session.idle_expires_at > now,
            Session.expires_at > now,
            Account.disabled_at.is_(None),
        )
    )
    rows = (await session.execute(statement)).all()
    # Null where an account has no role, or a role no permission.
    names: list[str | None] = [row[1] for row in rows]
    return (rows[0][0], frozenset(filter(None, names))) if rows else None


async def may(session: AsyncSession, header: str | None, permission: str) -> bool | None:
    """Tell whether the owner of a header's token may do something; None if the token is not valid."""
    scheme, _, token = (header or "").partition(" ")
    found = await find_account(session, token) if scheme.lower() == "bearer" else None
    return None if found is None else permission in found[1]
