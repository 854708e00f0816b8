"""The table and the engine of the peers that use SQLAlchemy, set up as its documentation shows."""

import os
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import DateTime, Dialect, TypeDecorator, event, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

URL = os.environ["BENCH_DATABASE_URL"]
POOL_SIZE = int(os.environ["BENCH_POOL_SIZE"])
IS_SQLITE = URL.startswith("sqlite")


def _now() -> datetime:
    return datetime.now(UTC)


class UtcDateTime(TypeDecorator[datetime]):
    """Puts back the time zone that SQLite does not keep, as SQLAlchemy's documentation shows."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.replace(tzinfo=UTC) if value is not None and dialect.name == "sqlite" else value


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    username: Mapped[str]
    username_key: Mapped[str]
    email: Mapped[str]
    email_key: Mapped[str]
    full_name: Mapped[str | None]
    active: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=_now)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, default=_now, onupdate=_now)
    version: Mapped[int] = mapped_column(default=1)


engine = create_async_engine(
    URL, pool_size=POOL_SIZE, max_overflow=0, connect_args={"timeout": 30} if IS_SQLITE else {}
)
sessions = async_sessionmaker(engine, expire_on_commit=False)

if IS_SQLITE:

    @event.listens_for(engine.sync_engine, "connect")
    def _configure(connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()


async def get_user(session: AsyncSession, user_id: int) -> User | None:
    return await session.get(User, user_id)


async def list_users(session: AsyncSession, limit: int, after: int) -> list[User]:
    statement = select(User).where(User.id > after).order_by(User.id).limit(limit)
    return list(await session.scalars(statement))


async def update_user(session: AsyncSession, user_id: int, changes: dict[str, Any]) -> User | None:
    user = await session.get(User, user_id)
    if user is not None:
        for name, value in changes.items():
            setattr(user, name, value)
        user.version += 1
        await session.commit()
    return user


async def create_user(session: AsyncSession, values: dict[str, Any]) -> User:
    values["email"] = values["email"].lower()
    user = User(**values, username_key=values["username"].casefold(), email_key=values["email"].casefold())
    session.add(user)
    await session.commit()
    return user
