"""Writes migrations as SQL text, without a database."""

from typing import Any

from alembic.migration import MigrationContext
from sqlalchemy import ExecutableDDLElement
from sqlalchemy.engine import IteratorResult
from sqlalchemy.engine.mock import MockConnection
from sqlalchemy.engine.result import SimpleResultMetaData


class _Nothing(IteratorResult[Any]):
    """The result of a statement in an empty database."""

    rowcount = 0


def pretend_to_have_rows_of_none(migration: MigrationContext) -> None:
    """Give a migration that changes rows a connection to an empty database; its queries become comments."""

    def execute(statement: Any, _parameters: object) -> _Nothing:
        if isinstance(statement, ExecutableDDLElement):
            migration.impl.execute(statement)
        else:
            asked = " ".join(str(statement.compile(dialect=migration.dialect)).split())
            migration.impl.static_output(f"-- By rows, so that it is not in this text: {asked}\n")
        return _Nothing(SimpleResultMetaData([]), iter(()))

    migration.impl.connection = MockConnection(migration.dialect, execute)  # type: ignore[assignment]
