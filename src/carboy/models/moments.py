"""Columns of dates and moments."""

import datetime as dt
from typing import Annotated, Any

from sqlalchemy import Date as DateType
from sqlalchemy import DateTime, Dialect, TypeDecorator
from sqlalchemy.dialects import sqlite
from sqlalchemy.orm import mapped_column
from sqlalchemy.types import TypeEngine

UTC_SUFFIX = "+00:00"


class UtcDateTime(TypeDecorator[dt.datetime]):
    """A moment in UTC.

    SQLite keeps moments as text, without a zone, and compares them as text. They are spelled there as
    ``CURRENT_TIMESTAMP`` and Python's `isoformat` spell them: with six decimals, and a whole second with none. So rows
    that SQL has written sort and compare like those that the application has.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        kind: TypeEngine[Any] = _SqliteUtcDateTime() if dialect.name == "sqlite" else self.impl_instance  # type: ignore[no-untyped-call]
        return dialect.type_descriptor(kind)

    def process_bind_param(self, value: dt.datetime | None, dialect: Dialect) -> dt.datetime | None:  # noqa: ARG002 - its signature is SQLAlchemy's.
        if value is not None and value.tzinfo is None:
            raise ValueError("A moment needs a time zone.")
        return value


class _SqliteUtcDateTime(sqlite.DATETIME):
    """Writes and reads a moment in one call, as a page of rows has a hundred of them."""

    def bind_processor(self, dialect: Dialect) -> Any:  # noqa: ARG002 - its signature is SQLAlchemy's.
        return _spelled

    def literal_processor(self, dialect: Dialect) -> Any:  # noqa: ARG002 - likewise.
        return lambda moment: f"'{_spelled(moment)}'"

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:  # noqa: ARG002 - likewise.
        return lambda text: None if text is None else dt.datetime.fromisoformat(text + UTC_SUFFIX)


def _spelled(moment: dt.datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(dt.UTC).isoformat(" ").removesuffix(UTC_SUFFIX)


Moment = Annotated[dt.datetime, mapped_column(UtcDateTime)]
"""A column of a moment, in UTC: ``remind_at: Mapped[Moment | None]``."""

Date = Annotated[dt.date, mapped_column(DateType)]
"""A column of a calendar date: ``due_on: Mapped[Date]``."""
