"""Compares text without regard to case, by columns that hold its case-folded spelling."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from sqlalchemy import String, Table

from carboy.schemas.filters import Equal, Filter, Related, Where
from carboy.schemas.text import fold

SUFFIX = "_key"
"""What the name of a column ends with that holds the case-folded spelling of another."""


def folded_columns(table: Table) -> dict[str, str]:
    """Return by its name each column of text that has one for its case-folded spelling beside it."""
    texts = [column.name for column in table.columns if isinstance(column.type, String)]
    return {name: name + SUFFIX for name in texts if name + SUFFIX in texts}


class Folding:
    """Fills the columns of case-folded spellings, and compares by them: databases disagree on what lower case is.

    Args:
        table: The table.
        folded: By field, the column of its case-folded spelling.
        folds: By field, what spells it so, where that is not `fold`.
    """

    def __init__(self, table: Table, folded: Mapping[str, str], folds: Mapping[str, Callable[[str], str]]) -> None:
        self._table, self._folded, self._folds = table, folded, folds

    def complete(self, values: Mapping[str, object]) -> dict[str, object]:
        """Return values with the case-folded spelling of each that has one, unless that is given too."""
        # A parameter that a statement has no place for would be left out without an error.
        for name in values:
            self._table.c[name]
        spelt = {column: self._fold(name, values[name]) for name, column in self._folded.items() if name in values}
        return {**spelt, **values}

    def asked(self, where: Where) -> dict[Filter, object]:
        """Return what to compare columns with, for what fields shall be."""
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
