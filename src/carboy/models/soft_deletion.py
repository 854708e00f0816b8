"""Rows that are deleted by a mark and stay, for what still refers to them and for whoever asks later."""

from datetime import datetime

from sqlalchemy import ColumnElement, FromClause, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from carboy.models.moments import UtcDateTime

MARK = "carboy_soft_deleted"
STAYS = "deleted_at IS NULL"


class SoftDeleted:
    """A table whose rows are marked when they are deleted: ``class Invoice(SoftDeleted, Base)``.

    A DAO finds, lists, changes and deletes only rows without the mark. What refers to a row, such as its children, is
    left as it is, and foreign keys take the row for one that is there.
    """

    deleted_at: Mapped[datetime | None] = mapped_column(UtcDateTime, info={MARK: True}, sort_order=4)


def unique_unless_deleted(*columns: str, name: str | None = None) -> Index:
    """Return the index that keeps values unique among rows that are not deleted: a deleted row's may be used again.

    It belongs to the model's ``__table_args__``.

    Args:
        *columns: Their names; their values must be unique together.
        name: The index's; by default it follows from the table's and the columns'.
    """
    return Index(name, *columns, unique=True, sqlite_where=text(STAYS), postgresql_where=text(STAYS))


def is_soft_deleted(table: FromClause) -> bool:
    """Tell whether rows of a table are deleted by a mark."""
    return "deleted_at" in table.c and MARK in table.c.deleted_at.info


def living(table: FromClause) -> tuple[ColumnElement[bool], ...]:
    """Return the condition that a row is not deleted; nothing for a table whose deleted rows are gone."""
    return (table.c.deleted_at.is_(None),) if is_soft_deleted(table) else ()
