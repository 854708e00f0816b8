"""Columns of one value out of a few."""

from enum import StrEnum
from typing import Any, Generic, TypeVar

from sqlalchemy import CheckConstraint, Column, Dialect, Table, Text, TypeDecorator, event
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.orm import MappedColumn, mapped_column

QUOTE = DefaultDialect().identifier_preparer.quote
"""Quotes the name of a column that is a word of SQL, as every database takes it."""

ChoiceT = TypeVar("ChoiceT", bound=StrEnum)


class Choice(TypeDecorator[ChoiceT], Generic[ChoiceT]):
    """The value of a member of an enum, as text that is compared by its code points: every database sorts it alike.

    It is no type of PostgreSQL's own, which would sort by declaration, outlive its table, and be changed by a lock.
    """

    impl = Text
    cache_ok = True

    def __init__(self, kind: type[ChoiceT]) -> None:
        super().__init__()
        self.kind = kind

    @property
    def python_type(self) -> type[ChoiceT]:
        return self.kind

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        return Text(collation="C") if dialect.name == "postgresql" else Text()

    def process_bind_param(self, value: ChoiceT | str | None, dialect: Dialect) -> str | None:  # noqa: ARG002 - its signature is SQLAlchemy's.
        return None if value is None else self.kind(value).value

    def process_result_value(self, value: str | None, dialect: Dialect) -> ChoiceT | None:  # noqa: ARG002 - likewise.
        return None if value is None else self.kind(value)


def choice(kind: type[ChoiceT], **options: Any) -> MappedColumn[Any]:
    """A column of an enum's values.

    ``status: Mapped[Status] = choice(Status)``. The table gets a CHECK constraint that is
    named after it and the column, such as ``ck_invoices_status``.

    Args:
        kind: The enum.
        **options: What else `mapped_column` takes.
    """
    column = mapped_column(Choice(kind), **options)
    event.listen(column.column, "after_parent_attach", _add_check)
    return column


def check_of(column: Column[Any], kind: type[StrEnum]) -> str:
    """Return the SQL of the condition that a column has one of the values of an enum."""
    values = ", ".join("'" + member.value.replace("'", "''") + "'" for member in kind)
    return f"{QUOTE(column.name)} IN ({values})"


def _add_check(column: Column[Any], table: Table) -> None:
    kind: type[StrEnum] = column.type.kind  # type: ignore[attr-defined]  # only columns of choices are listened to.
    table.append_constraint(CheckConstraint(check_of(column, kind), name=column.name))
