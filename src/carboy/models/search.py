"""Search indexes: text is found by a part of it, three letters or more, without reading all rows.

On PostgreSQL it is a GIN index of trigrams, by the extension pg_trgm, of all columns in one: that takes half the space
and about half the time of one that holds each by itself. On SQLite it is a table of FTS5, also of trigrams, that
triggers keep in step. Both give rows that may have a text: `LIKE` of each column decides, so that answers are equal.
"""

from collections.abc import Callable, Iterable
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    MetaData,
    Table,
    Text,
    column,
    event,
    literal_column,
    or_,
    select,
    table,
    text,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

SEARCHED = "carboy_search"
"""The key in `Table.info` of the columns of the table's search index."""

COLUMNS = {
    "sqlite": "SELECT name FROM pragma_table_info(:index) ORDER BY cid",
    # Its expression depends on them. One of before, which has none, is no index that is searched.
    "postgresql": "SELECT attname FROM pg_class JOIN pg_index ON indexrelid = pg_class.oid"
    " JOIN pg_depend ON objid = indexrelid AND classid = 'pg_class'::regclass AND refobjid = indrelid"
    " JOIN pg_attribute ON attrelid = indrelid AND attnum = refobjsubid"
    " WHERE relname = :index AND indexprs IS NOT NULL AND pg_table_is_visible(pg_class.oid) ORDER BY attnum",
}
"""By database, the statement for the columns of a search index. On PostgreSQL they have the order of the table's."""

TEXT_LENGTH = 3
"""Letters of the shortest text that an index of trigrams finds."""


def create_search_index(op: Any, name: str, columns: list[str], *, concurrently: bool = False) -> None:
    """Create the search index of a table, in a migration. A model declares it as ``__search__``.

    On PostgreSQL the role must be allowed to create the extension pg_trgm, if it is not there: whoever may create in
    the database is.

    Args:
        op: Alembic's operations.
        name: The table.
        columns: Its columns that are searched; they hold case-folded text.
        concurrently: Whether PostgreSQL lets others write into the table meanwhile (20 s for a million rows), which it
            does in an ``autocommit_block`` only.
    """
    for statement in creation(op.get_context().dialect.name, name, columns, concurrently=concurrently):
        op.execute(statement)


def drop_search_index(op: Any, name: str, *, concurrently: bool = False) -> None:
    """Drop the search index of a table, in a migration: before its columns change, and in a downgrade.

    With ``concurrently`` nobody waits for it on PostgreSQL: see `create_search_index`. It may be gone already then.
    """
    for statement in removal(op.get_context().dialect.name, name, concurrently=concurrently):
        op.execute(statement)


def creation(dialect: str, name: str, columns: list[str], *, concurrently: bool = False) -> list[str]:
    if dialect == "postgresql":
        index = f'INDEX{" CONCURRENTLY" * concurrently} "{index_name(name)}"'
        return [
            "CREATE EXTENSION IF NOT EXISTS pg_trgm",
            f'CREATE {index} ON "{name}" USING gin (({_in_one(name, columns)}) gin_trgm_ops)',
        ]
    index = f'"{search_table(name)}"'
    # Without positions the index has half the size. Which rows have the trigrams in a row is seen in the rows.
    options = f"content='{name}', content_rowid='id', tokenize='trigram', detail='none', columnsize=0"
    names = ", ".join(f'"{one}"' for one in columns)
    return [
        f"CREATE VIRTUAL TABLE {index} USING fts5({names}, {options})",
        *_triggers(name, columns),
        _filling(name),
    ]


def removal(dialect: str, name: str, *, concurrently: bool = False) -> list[str]:
    if dialect == "postgresql":
        return [f'DROP INDEX{" CONCURRENTLY IF EXISTS" * concurrently} "{index_name(name)}"']
    triggers = [f'DROP TRIGGER IF EXISTS "{search_table(name)}_{when}"' for when in ("insert", "delete", "update")]
    return [*triggers, f'DROP TABLE "{search_table(name)}"']


def index_name(name: str) -> str:
    return f"ix_{name}_search"


def search_table(name: str) -> str:
    return f"{name}_search"


def name_of(dialect: str, name: str) -> str:
    """Return what the search index of a table is called in a database."""
    return search_table(name) if dialect == "sqlite" else index_name(name)


def _triggers(name: str, columns: list[str]) -> list[str]:
    index = search_table(name)
    names = ", ".join(f'"{one}"' for one in columns)
    old, new = (", ".join(f'{row}."{one}"' for one in ("id", *columns)) for row in ("old", "new"))
    remove = f'INSERT INTO "{index}"("{index}", rowid, {names}) VALUES (\'delete\', {old});'  # noqa: S608 - names of ours.
    add = f'INSERT INTO "{index}"(rowid, {names}) VALUES ({new});'  # noqa: S608 - likewise.
    changed = " OR ".join(f'old."{one}" IS NOT new."{one}"' for one in ("id", *columns))
    events = {
        "insert": ("INSERT", "true", add),
        "delete": ("DELETE", "true", remove),
        "update": (f"UPDATE OF id, {names}", changed, remove + add),
    }
    return [
        f'CREATE TRIGGER "{index}_{when}" AFTER {what} ON "{name}" WHEN {condition} BEGIN {steps} END'
        for when, (what, condition, steps) in events.items()
    ]


def _filling(name: str) -> str:
    index = search_table(name)
    return f'INSERT INTO "{index}"("{index}") VALUES (\'rebuild\')'  # noqa: S608 - a name of ours.


def search_tables(connection: Connection) -> frozenset[str]:
    """Return the names of the tables of search indexes, which on SQLite stand among the others."""
    if connection.dialect.name != "sqlite":
        return frozenset()
    kinds = "SELECT name FROM pragma_table_list WHERE type IN ('virtual', 'shadow')"
    return frozenset(connection.execute(text(kinds)).scalars())


def columns_of_index(connection: Connection, name: str) -> list[str]:
    """Return the columns of the search index that a table has in the database; none if it has no index."""
    found = connection.execute(
        text(COLUMNS[connection.dialect.name]), {"index": name_of(connection.dialect.name, name)}
    )
    return [*found.scalars()]


def restore_triggers(connection: Connection) -> None:
    """Bring search indexes of SQLite back in step whose table was copied and renamed, which loses its triggers."""
    indexes = "SELECT name FROM pragma_table_list WHERE type = 'virtual' AND name LIKE '%/_search' ESCAPE '/'"
    for index in [*connection.execute(text(indexes)).scalars()]:
        name = index.removesuffix("_search")
        known = connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).scalars().all()
        if f"{index}_insert" not in known:
            columns = connection.execute(text("SELECT name FROM pragma_table_info(:name)"), {"name": index}).scalars()
            for statement in (*_triggers(name, [*columns]), _filling(name)):
                connection.exec_driver_sql(statement)


class _MayMatch(FunctionElement[bool]):
    """A condition by the search index: what FTS5 is asked on SQLite, then what PostgreSQL knows its index by.

    It has no type: of a Boolean SQLAlchemy would ask whether it is 1, for which SQLite uses no index.
    """

    inherit_cache = True


@compiles(_MayMatch, "sqlite")
def _by_fts5(element: _MayMatch, compiler: SQLCompiler, **options: Any) -> str:
    by_fts5, _ = element.clauses
    return str(compiler.process(by_fts5, **options))


@compiles(_MayMatch, "postgresql")
def _by_trigrams(element: _MayMatch, compiler: SQLCompiler, **options: Any) -> str:
    _, by_trigrams = element.clauses
    return str(compiler.process(by_trigrams, **options))


def may_match(table_: Table, match: ColumnElement[Any], patterns: Iterable[ColumnElement[Any]]) -> ColumnElement[bool]:
    """Return the condition that a row may have the text that is looked for.

    Args:
        table_: The table, which has a search index.
        match: The query of `trigrams`.
        patterns: The patterns of the text, for `LIKE`; "/" escapes.
    """
    name = search_table(table_.name)
    index = table(name, column("rowid"), column(name))
    rows = select(index.c.rowid).where(index.c[name].op("MATCH", is_comparison=True)(match))
    text_of_row: ColumnElement[str] = literal_column(_in_one(table_.name, table_.info[SEARCHED]), Text())
    return _MayMatch(table_.c.id.in_(rows), or_(*(text_of_row.like(pattern, escape="/") for pattern in patterns)))


def _in_one(name: str, columns: Iterable[str]) -> str:
    """Return the SQL of the text of all columns, for which PostgreSQL's index is made and by which it is found.

    In whatever order they are named it is the same.
    """
    return " || ' ' || ".join(f"""coalesce("{name}"."{one}", '')""" for one in sorted(columns))


def trigrams(search: str) -> str:
    """Return the query by which FTS5 finds the rows that have all trigrams of a text."""
    parts = dict.fromkeys(search[begin : begin + TEXT_LENGTH] for begin in range(len(search) - TEXT_LENGTH + 1))
    return " AND ".join('"{}"'.format(part.replace('"', '""')) for part in parts)


def listen(metadata: MetaData) -> None:
    """Have `MetaData.create_all` and `drop_all` create and drop the search indexes that models declare."""

    def create(_metadata: MetaData, connection: Connection, tables: Iterable[Table], **_options: Any) -> None:
        run(connection, tables, creation)

    def drop(_metadata: MetaData, connection: Connection, tables: Iterable[Table], **_options: Any) -> None:
        run(connection, tables, lambda dialect, name, _columns: removal(dialect, name))

    def run(connection: Connection, tables: Iterable[Table], ddl: Callable[[str, str, list[str]], list[str]]) -> None:
        for one in tables:
            columns = [*one.info.get(SEARCHED, ())]
            for statement in ddl(connection.dialect.name, one.name, columns) if columns else ():
                connection.exec_driver_sql(statement)

    event.listen(metadata, "after_create", create)
    event.listen(metadata, "before_drop", drop)
