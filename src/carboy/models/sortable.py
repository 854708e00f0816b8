"""Columns that lists are sorted by."""

from typing import Any

from sqlalchemy import Column, Index, Table, event
from sqlalchemy.orm import MappedColumn, mapped_column


def sortable(*arguments: Any, **options: Any) -> MappedColumn[Any]:
    """A column with an index in which the id follows, as a list that is sorted by it needs: see docs/lists.md.

    ``due_on: Mapped[Date] = sortable()``

    Args:
        *arguments: What `mapped_column` takes.
        **options: Likewise.
    """
    column = mapped_column(*arguments, **options)
    event.listen(column.column, "after_parent_attach", _add_index)
    return column


def _add_index(column: Column[Any], table: Table) -> None:
    Index(None, column, table.c.id)
