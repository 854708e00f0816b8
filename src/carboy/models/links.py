"""Tables that link the rows of two others, many to many."""

from sqlalchemy import Column, ForeignKey, MetaData, Table

from carboy.models.base import Base


def link_table(name: str, one: str, other: str, *, metadata: MetaData | None = None) -> Table:
    """Return the table behind a many-to-many relationship, which has it as `secondary`.

    A link goes with either of its rows, unless the database is told otherwise.

    Args:
        name: The table's, such as ``invoice_tags``.
        one: The column that refers to the one table, such as ``invoices.id``.
        other: The column that refers to the other.
        metadata: Where the three tables are declared; `Base`'s by default.
    """
    return Table(
        name,
        Base.metadata if metadata is None else metadata,
        _reference(one),
        # The primary key finds links by their first column only.
        _reference(other, index=True),
    )


def _reference(target: str, *, index: bool = False) -> Column[int]:
    column = f"{target.partition('.')[0]}_id"
    return Column(column, ForeignKey(target, ondelete="CASCADE"), primary_key=True, index=index)
