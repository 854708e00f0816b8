"""Case-insensitive fields: columns of their own hold their case-folded text."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from sqlalchemy import String, Table

from carboy.schemas.filters import Equal, Filter, Related, Where
from carboy.schemas.text import fold

SUFFIX = "_key"
"""The end of the name of a column that holds the case-folded text of another column."""


def folded_columns(table: Table) -> dict[str, str]:
    """Map each text column that has a column of its case-folded text beside it to that column."""
    texts = [column.name for column in table.columns if isinstance(column.type, String)]
    return {name: name + SUFFIX for name in texts if name + SUFFIX in texts}


class Folding:
    """Fills the columns of case-folded text, and compares by them.

    Args:
        table: The table.
        folded: Maps a case-insensitive field to the column of its case-folded text.
        folds: Maps such a field to the function that folds it, if that is not `fold`.
    """

    def __init__(self, table: Table, folded: Mapping[str, str], folds: Mapping[str, Callable[[str], str]]) -> None:
        self._table, self._folded, self._folds = table, folded, folds

    def complete(self, values: Mapping[str, object]) -> dict[str, object]:
        """Return the values and the case-folded columns that they fill, unless those are given."""
        # SQLAlchemy drops parameters without a column silently, so a wrong name must fail here.
        for name in values:
            self._table.c[name]
        spelt = {column: self._fold(name, values[name]) for name, column in self._folded.items() if name in values}
        return {**spelt, **values}

    def asked(self, where: Where) -> dict[Filter, object]:
        """Return the filters with their values; case-insensitive fields are compared by their folded columns."""
        asked: dict[Filter, object] = {}
        for one, value in where.items():
            field = Equal(one) if isinstance(one, str) else one
            if field.column in self._folded and not isinstance(field, Related):
                asked[replace(field, column=self._folded[field.column])] = self._fold(field.column, value)
            else:
                asked[field] = value
        return asked

    def _fold(self, name: str, value: object) -> object:
        if isinstance(value, tuple):
            return tuple(self._fold(name, one) for one in value)
        return self._folds.get(name, fold)(value) if isinstance(value, str) else value
