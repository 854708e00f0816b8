"""Safeguards for migrations of SQLite, where Alembic changes a table by copying it."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Table, event, inspect, text

from carboy.db.histories import MigrationError


def check_foreign_keys(connection: Connection) -> None:
    """Raise a `MigrationError` if rows refer to missing rows: foreign keys are off during a migration."""
    if connection.dialect.name == "sqlite":
        broken = {row.table for row in connection.execute(text("PRAGMA foreign_key_check"))}
        if broken:
            raise MigrationError(f"Rows refer to others that are not there, in {', '.join(sorted(broken))}.")


@contextmanager
def ids_kept(connection: Connection) -> Iterator[None]:
    """Keep the ids of deleted rows from being reused, which Alembic ignores when it copies a table."""
    given_out = _ids_given_out(connection)
    event.listen(Table, "before_create", _keep_autoincrement)
    try:
        yield
    finally:
        event.remove(Table, "before_create", _keep_autoincrement)
    _keep_ids_given_out(connection, given_out)


def _keep_autoincrement(table: Table, _connection: Connection, **_options: object) -> None:
    table.dialect_options["sqlite"]["autoincrement"] = True


def _ids_given_out(connection: Connection) -> dict[str, int]:
    """Return the highest id that each table has ever assigned."""
    if not inspect(connection).has_table("sqlite_sequence"):
        return {}
    return {row.name: row.seq for row in connection.execute(text("SELECT name, seq FROM sqlite_sequence"))}


def _keep_ids_given_out(connection: Connection, before: dict[str, int]) -> None:
    after = _ids_given_out(connection)
    for name in before.keys() & set(inspect(connection).get_table_names()):
        parameters = {"name": name, "seq": max(before[name], after.get(name, 0))}
        connection.execute(text("DELETE FROM sqlite_sequence WHERE name = :name"), parameters)
        connection.execute(text("INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :seq)"), parameters)
