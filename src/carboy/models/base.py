"""What every table has: an id, two timestamps and a version."""

from datetime import UTC, datetime
from typing import Any, ClassVar

from sqlalchemy import BigInteger, Integer, MetaData, Table, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from carboy.models import search
from carboy.models.moments import UtcDateTime

MAX_ID = 2**63 - 1
"""The largest id that a signed 64-bit column holds; no row can have a larger one."""

MAX_VERSION = 2**31 - 1
"""The same for a row's version, whose column has 32 bits."""

KeyText = Text().with_variant(Text(collation="C"), "postgresql")
"""Text that is compared and sorted by its code points, as SQLite and Python do: no database's locale changes a list."""


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
    __search__: ClassVar[tuple[str, ...]] = ()
    """The columns of the search index: see `carboy.models.search`."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if cls.__search__ and "__table__" in vars(cls):
            # Where migrations find it, which compare tables.
            table_of(cls).info[search.SEARCHED] = cls.__search__

    # SQLite fills in an id by itself only where the type is spelt INTEGER, which there has 64 bits too.
    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True, sort_order=-1)
    created_at: Mapped[datetime] = mapped_column(default=_now, sort_order=1)
    updated_at: Mapped[datetime] = mapped_column(default=_now, onupdate=_now, sort_order=2)
    version: Mapped[int] = mapped_column(default=1, sort_order=3)
    """Counts the changes of the row, from 1. It shows whether a row has changed since it was read."""


search.listen(Base.metadata)


def table_of(model: type[Base]) -> Table:
    """Return the table of a model."""
    return model.metadata.tables[model.__tablename__]
