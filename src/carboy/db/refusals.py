"""Reads from a driver's error which constraint, table and columns a refusal is about."""

import re
from dataclasses import dataclass
from enum import Enum, auto

from sqlalchemy import CheckConstraint, Column, Constraint, Index, PrimaryKeyConstraint, Table, UniqueConstraint
from sqlalchemy.exc import DBAPIError


class Reason(Enum):
    UNIQUE = auto()
    """Another row has the value already."""
    REFERENCE = auto()
    """A row refers to one that is not there."""
    CHECK = auto()
    """A value does not meet a condition."""
    VALUE = auto()
    """A value is too long or out of range for its column."""
    OTHER = auto()
    """Anything else, such as a null, which is a bug and not the client's fault."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """What a database refused.

    Attributes:
        reason: The kind of refusal.
        table: The table of the constraint; None if the database does not tell.
        names: The possible names of the constraint; SQLite tells only its columns, which several may share.
        columns: Its columns, as far as they are known.
    """

    reason: Reason
    table: str | None = None
    names: frozenset[str] = frozenset()
    columns: tuple[str, ...] = ()

    def __str__(self) -> str:
        name = " or ".join(sorted(self.names)) or "an unnamed constraint"
        return f"{name} ({', '.join(self.columns)})" if self.columns else name


POSTGRESQL = {
    "23505": Reason.UNIQUE,
    "23503": Reason.REFERENCE,
    "23001": Reason.REFERENCE,
    "23514": Reason.CHECK,
}
"""Since version 18 a deletion that RESTRICT forbids has its own code, 23001."""
WRONG_VALUE = "22"
"""The class of data exceptions: too long, out of range, a character that cannot be stored."""

SQLITE = {
    "UNIQUE constraint failed: ": Reason.UNIQUE,
    "FOREIGN KEY constraint failed": Reason.REFERENCE,
    "CHECK constraint failed: ": Reason.CHECK,
}


def refusal_of(error: DBAPIError, table: Table) -> Refusal:
    """Return what the database refused of a statement that changes rows of a table."""
    driver = error.driver_exception
    state = getattr(driver, "sqlstate", None)
    if state is not None:
        return _postgresql_refusal(state, driver, table)
    message = str(error.orig)
    if isinstance(error.orig, OverflowError):
        return Refusal(reason=Reason.VALUE)
    for beginning, reason in SQLITE.items():
        if message.startswith(beginning):
            return _sqlite_refusal(reason, message.removeprefix(beginning), table)
    return Refusal(reason=Reason.OTHER, names=frozenset({message}))


def _postgresql_refusal(state: str, driver: BaseException | None, table: Table) -> Refusal:
    name = getattr(driver, "constraint_name", None)
    column = getattr(driver, "column_name", None)
    reason = POSTGRESQL.get(state, Reason.VALUE if state.startswith(WRONG_VALUE) else Reason.OTHER)
    columns = _columns_of(table, name) if name else (column,) if column else ()
    names = frozenset({name} if name else ())
    return Refusal(reason=reason, table=getattr(driver, "table_name", None), names=names, columns=columns)


def _sqlite_refusal(reason: Reason, said: str, table: Table) -> Refusal:
    index = re.fullmatch("index '(.+)'", said)
    if reason is Reason.CHECK or index:
        name = index[1] if index else said
        return Refusal(reason=reason, table=table.name, names=frozenset({name}), columns=_columns_of(table, name))
    if reason is Reason.REFERENCE:
        return Refusal(reason=reason)
    columns = tuple(one.partition(".")[2] for one in said.split(", "))
    named = (one.name for one in _unique_in(table) if {column.name for column in one.columns} == {*columns})
    return Refusal(
        reason=reason, table=table.name, names=frozenset(str(name) for name in named if name), columns=columns
    )


def _unique_in(table: Table) -> list[UniqueConstraint | PrimaryKeyConstraint | Index]:
    constraints = [one for one in table.constraints if isinstance(one, UniqueConstraint | PrimaryKeyConstraint)]
    return [*constraints, *(index for index in table.indexes if index.unique)]


def _columns_of(table: Table, name: str) -> tuple[str, ...]:
    every: list[Constraint | Index] = [*table.constraints, *table.indexes]
    found = (one for one in every if one.name == name)
    return next((tuple(column.name for column in _columns_in(one, table)) for one in found), ())


def _columns_in(one: Constraint | Index, table: Table) -> list[Column[object]]:
    if isinstance(one, CheckConstraint) and not one.columns:
        return [column for column in table.columns if re.search(rf"\b{re.escape(column.name)}\b", str(one.sqltext))]
    return [*getattr(one, "columns", ())]
