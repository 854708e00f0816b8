"""Columns that refer to a row of another table."""

from typing import Any

from sqlalchemy import BigInteger, ForeignKey
from sqlalchemy.orm import MappedColumn, mapped_column


def reference(target: str, *, ondelete: str = "RESTRICT", index: bool = True, **options: Any) -> MappedColumn[Any]:
    """A column that holds the id of a row.

    ``owner_id: Mapped[int] = reference("users.id")``

    Args:
        target: The table and column that it refers to.
        ondelete: What becomes of this row when that one is deleted: ``RESTRICT`` forbids it, ``CASCADE`` deletes this
            one too, ``SET NULL`` empties the column.
        index: Whether the column has an index. Without one each deletion of a row of the target reads this whole table.
        **options: What else `mapped_column` takes.
    """
    return mapped_column(BigInteger, ForeignKey(target, ondelete=ondelete), index=index, **options)
