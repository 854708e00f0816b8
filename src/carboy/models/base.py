"""What every table has: an id, two timestamps and a version."""

from datetime import UTC, datetime
from typing import Any, ClassVar

from sqlalchemy import BigInteger, DateTime, Dialect, Integer, MetaData, TypeDecorator
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

MAX_ID = 2**63 - 1
"""The largest id that a signed 64-bit column holds; no row can have a larger one."""


class UtcDateTime(TypeDecorator[datetime]):
    """A moment in UTC. SQLite keeps no time zone, so that it is taken off on the way in and put back on the way out."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("A moment needs a time zone.")
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.replace(tzinfo=UTC) if value is not None and dialect.name == "sqlite" else value


def _now() -> datetime:
    return datetime.now(UTC)


class Base(DeclarativeBase):
    """A table with what all tables have.

    Constraints have names by convention: migrations can drop them, and a violated one can be told by its name.
    """

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar = {datetime: UtcDateTime}
    # Without it, SQLite gives the id of a deleted row to the next one. A model with arguments of its own repeats it.
    __table_args__: Any = {"sqlite_autoincrement": True}

    # SQLite fills in an id by itself only where the type is spelt INTEGER, which there has 64 bits too.
    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True, sort_order=-1)
    created_at: Mapped[datetime] = mapped_column(default=_now, sort_order=1)
    updated_at: Mapped[datetime] = mapped_column(default=_now, onupdate=_now, sort_order=2)
    version: Mapped[int] = mapped_column(default=1, sort_order=3)
    """Counts the changes of the row, from 1. It shows whether a row has changed since it was read."""
