"""What migrations of SQLite have to mind: to change a table there, Alembic copies it."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Table, event, inspect, text

from carboy.db.histories import MigrationError


def check_foreign_keys(connection: Connection) -> None:
    """Raise a `MigrationError` if rows refer to others that are not there: foreign keys are off during a migration."""
    if connection.dialect.name == "sqlite":
        broken = {row.table for row in connection.execute(text("PRAGMA foreign_key_check"))}
        if broken:
            raise MigrationError(f"Rows refer to others that are not there, in {', '.join(sorted(broken))}.")


@contextmanager
def ids_kept(connection: Connection) -> Iterator[None]:
    """Keep what Alembic overlooks in a copy: no id of a deleted row comes again."""
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
    """Return the highest id that each table of SQLite has ever given out."""
    if not inspect(connection).has_table("sqlite_sequence"):
        return {}
    return {row.name: row.seq for row in connection.execute(text("SELECT name, seq FROM sqlite_sequence"))}


def _keep_ids_given_out(connection: Connection, before: dict[str, int]) -> None:
    after = _ids_given_out(connection)
    for name in before.keys() & set(inspect(connection).get_table_names()):
        parameters = {"name": name, "seq": max(before[name], after.get(name, 0))}
        connection.execute(text("DELETE FROM sqlite_sequence WHERE name = :name"), parameters)
        connection.execute(text("INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :seq)"), parameters)
