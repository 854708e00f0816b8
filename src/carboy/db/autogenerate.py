"""Rewrites the migrations that Alembic generates, so that they keep rows, and adds notes on what to decide."""

import enum
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from alembic.operations import ops
from sqlalchemy import Column, Enum, text
from sqlalchemy.sql.elements import TextClause

from carboy.db import checked_values, migration_notes, search_indexes
from carboy.db.histories import MigrationError
from carboy.db.migration_notes import EnumOp, NoteOp
from carboy.db.search_indexes import SearchIndexOp

PLUGINS = ["alembic.autogenerate.*", "alembic.ext.checkconstraint_byname", checked_values.PLUGIN, search_indexes.PLUGIN]
Operations = Iterator[ops.MigrateOperation]


class Rename(NamedTuple):
    """A column that has a new name."""

    table: str
    old: str
    new: str

    @classmethod
    def parse(cls, spelt: str) -> "Rename":
        """Read ``table.old=new``."""
        table, _, names = spelt.partition(".")
        old, _, new = names.partition("=")
        if not (table and old and new):
            raise MigrationError(f"--rename {spelt}: write TABLE.OLD=NEW, such as notes.title=name.")
        return cls(table, old, new)

    @property
    def back(self) -> "Rename":
        return Rename(self.table, self.new, self.old)


def make_safe(
    _context: object,
    _revision: object,
    scripts: list[ops.MigrationScript],
    *,
    renames: Sequence[str],
    notes: list[str],
) -> None:
    """Rewrite migrations before they are written.

    Args:
        scripts: The migrations.
        renames: Columns that have a new name, each as ``table.old=new``.
        notes: The notes to the author are appended to this.

    Raises:
        MigrationError: The models have not dropped the one column of a renaming and added the other.
    """
    there = [Rename.parse(spelt) for spelt in renames]
    for script in scripts:
        for upgrade, downgrade in zip(script.upgrade_ops_list, script.downgrade_ops_list, strict=True):
            upgrade.ops = [*_rewritten(upgrade.ops, there)]
            notes += [operation.note for operation in upgrade.ops if isinstance(operation, NoteOp)]
            rewritten = _rewritten(downgrade.ops, [rename.back for rename in there])
            downgrade.ops = [
                operation for operation in rewritten if not isinstance(operation, NoteOp) or operation.code
            ]


def _rewritten(operations: Iterable[ops.MigrateOperation], renames: Sequence[Rename]) -> Operations:
    operations, left = [*operations], {*renames}
    created = {operation.table_name for operation in operations if isinstance(operation, ops.CreateTableOp)}
    for operation in operations:
        if isinstance(operation, ops.ModifyTableOps):
            dropped, added = _search_indexes(operation)
            yield from dropped
            if operation.table_name not in created:
                mine = [rename for rename in renames if rename.table == operation.table_name]
                left -= {*mine}
                yield from (*_modified(operation, mine), *map(_locking, added))
            elif operation.ops:
                yield operation
            yield from added
        else:
            yield operation
        if isinstance(operation, ops.DropTableOp):
            yield from (EnumOp(kind, "drop") for kind in _enums(operation.to_table().columns))
    for rename in left:
        raise _mistaken(rename)


def _search_indexes(modified: ops.ModifyTableOps) -> tuple[list[SearchIndexOp], list[SearchIndexOp]]:
    """Take the search indexes to drop and to create out of the changes of a table, around which they stand."""
    found = [operation for operation in modified.ops if isinstance(operation, SearchIndexOp)]
    modified.ops = [operation for operation in modified.ops if operation not in found]
    return [one for one in found if one.verb == "drop"], [one for one in found if one.verb == "create"]


def _locking(index: SearchIndexOp) -> NoteOp:
    return NoteOp(migration_notes.INDEXED.format(name=f"the search index of {index.table}", table=index.table))


def _modified(modified: ops.ModifyTableOps, renames: Sequence[Rename]) -> Operations:
    for rename in renames:
        yield from _rename(modified, rename)
    yield from _notes(modified)
    adding = [operation for operation in modified.ops if isinstance(operation, ops.AddColumnOp)]
    dropped = [operation.to_column() for operation in modified.ops if isinstance(operation, ops.DropColumnOp)]
    left_empty = [operation for operation in adding if _is_left_empty(operation.column)]
    yield from _give_defaults(modified.table_name, left_empty)
    afterwards = [
        step for operation in left_empty if operation.column.nullable for step in _fill(modified.table_name, operation)
    ]
    yield from (EnumOp(kind, "create") for kind in _enums(operation.column for operation in adding))
    if modified.ops:
        yield modified
    yield from afterwards
    yield from (EnumOp(kind, "drop") for kind in _enums(dropped))


def _rename(modified: ops.ModifyTableOps, rename: Rename) -> Operations:
    """Replace a drop and an add by a rename, in an operation of its own: SQLite copies the table for the others."""
    pair = [
        operation
        for operation in modified.ops
        if (isinstance(operation, ops.DropColumnOp) and operation.column_name == rename.old)
        or (isinstance(operation, ops.AddColumnOp) and operation.column.name == rename.new)
    ]
    if len(pair) != 2:  # noqa: PLR2004 - a pair.
        raise _mistaken(rename)
    modified.ops = [operation for operation in modified.ops if operation not in pair]
    [column] = [operation.column for operation in pair if isinstance(operation, ops.AddColumnOp)]
    alter = ops.AlterColumnOp(
        rename.table,
        rename.old,
        modify_name=rename.new,
        existing_type=column.type,
        existing_nullable=column.nullable,
    )
    yield NoteOp(migration_notes.RENAMED.format(**rename._asdict()))
    yield ops.ModifyTableOps(rename.table, [alter])


def _mistaken(rename: Rename) -> MigrationError:
    return MigrationError(
        f"--rename {rename.table}.{rename.old}={rename.new}: the models do not drop {rename.table}.{rename.old} and add"
        f" {rename.table}.{rename.new}. Rename it in the model first."
    )


def _notes(modified: ops.ModifyTableOps) -> Operations:
    table = modified.table_name
    added = [operation.column.name for operation in modified.ops if isinstance(operation, ops.AddColumnOp)]
    dropped = [operation.column_name for operation in modified.ops if isinstance(operation, ops.DropColumnOp)]
    if len(added) == len(dropped) == 1:
        yield NoteOp(migration_notes.PERHAPS_RENAMED.format(table=table, old=dropped[0], new=added[0]))
    for operation in modified.ops:
        if isinstance(operation, ops.CreateIndexOp):
            yield NoteOp(migration_notes.INDEXED.format(name=operation.index_name, table=table))
        elif isinstance(operation, ops.CreateCheckConstraintOp):
            yield NoteOp(migration_notes.CHECKED.format(name=operation.constraint_name))


def _is_left_empty(column: Column[Any]) -> bool:
    return not column.nullable and column.server_default is None and column.computed is None


def _give_defaults(table: str, operations: Iterable[ops.AddColumnOp]) -> Operations:
    """Give required columns their model's default in the database, or make them nullable at first."""
    for operation in operations:
        column, default = operation.column, _default_of(operation.column)
        operation.column = Column(column.name, column.type, nullable=default is None, server_default=default)
        if default is not None:
            yield NoteOp(migration_notes.WITH_DEFAULT.format(column=f"{table}.{column.name}"))


def _fill(table: str, operation: ops.AddColumnOp) -> Operations:
    """Yield a note to its author to fill the column, and the operation that then forbids null."""
    name, kind = operation.column.name, operation.column.type
    statement = f'op.execute("UPDATE {table} SET {name} = ... WHERE {name} IS NULL")'  # noqa: S608 - it is for people to read.
    yield NoteOp(migration_notes.REQUIRED.format(column=f"{table}.{name}"), statement)
    forbid = ops.AlterColumnOp(table, name, existing_type=kind, existing_nullable=True, modify_nullable=False)
    yield ops.ModifyTableOps(table, [forbid])


def _default_of(column: Column[Any]) -> str | TextClause | None:
    """Return a model's default as SQL that both databases accept; None if there is none, as for a function."""
    value = getattr(column.default, "arg", None)
    if isinstance(value, bool):
        return text(str(value).lower())
    if isinstance(value, int | float) and not isinstance(value, enum.Enum):
        return text(str(value))
    return str(value) if isinstance(value, str) else None


def _enums(columns: Iterable[Column[Any]]) -> list[Enum]:
    """Return the enums that are types on PostgreSQL, each once."""
    kinds = {
        column.type.name: column.type
        for column in columns
        if isinstance(column.type, Enum) and column.type.native_enum and column.type.name
    }
    return [*kinds.values()]
