"""Alembic's environment. `carboy.db.migrate` passes it the connection, with an open transaction."""

from contextlib import nullcontext
from functools import partial
from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext

from carboy.db import autogenerate, offline
from carboy.models import Base
from carboy.models.choices import Choice
from carboy.models.moments import UtcDateTime
from carboy.models.numbers import Amount
from carboy.models.search import index_name
from carboy.models.structured import JsonDocument

attributes = context.config.attributes
connection = attributes["connection"]


def _render(kind: str, item: Any, autogenerate: AutogenContext) -> str | Literal[False]:
    """Render our types as SQLAlchemy's: migrations are history and must not change when models do."""
    if kind == "type" and isinstance(item, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    if kind == "type" and isinstance(item, Amount):
        return f'sa.Numeric({item.digits}, {item.scale}).with_variant(sa.BigInteger(), "sqlite")'
    if kind == "type" and isinstance(item, Choice):
        return 'sa.Text().with_variant(sa.Text(collation="C"), "postgresql")'
    if kind == "type" and isinstance(item, JsonDocument):
        autogenerate.imports.add("from sqlalchemy.dialects import postgresql")
        return 'sa.JSON().with_variant(postgresql.JSONB(), "postgresql")'
    return False


def _is_of_this_history(item: Any, name: str | None, kind: str, *_others: object) -> bool:
    # The parts of a search index are in no model.
    is_search = kind == "index" and name == index_name(item.table.name)
    return not is_search and _is_looked_at(name, kind)


def _is_looked_at(name: str | None, kind: str, _parents: object = None) -> bool:
    """Pass over tables of the other history before they are read, which takes most of the time of a comparison."""
    return name is None or kind != "table" or attributes["owns"](name)


context.configure(
    connection=connection,
    dialect_name=attributes.get("dialect"),
    literal_binds=connection is None,
    target_metadata=Base.metadata,
    version_table=attributes["version_table"],
    include_name=_is_looked_at,
    include_object=_is_of_this_history,
    render_item=_render,
    process_revision_directives=partial(
        autogenerate.make_safe, renames=attributes.get("renames", ()), notes=attributes["notes"]
    ),
    autogenerate_plugins=autogenerate.PLUGINS,
    # SQLite can change little of a table in place, so Alembic copies the table.
    render_as_batch=True,
    # SQLite rolls back DDL too.
    transactional_ddl=True,
)
migration = context.get_context()
if connection is None:
    offline.pretend_to_have_rows_of_none(migration)
elif migration.dialect.name == "sqlite":
    # The transaction is the lock against others, and SQLite can do everything within one.
    migration.autocommit_block = nullcontext  # type: ignore[method-assign, assignment]
else:
    # Alembic ignores a transaction that it did not begin, and its autocommit_block then fails.
    migration._transaction = connection.get_transaction()  # noqa: SLF001 - there is no public way to hand it over.
with context.begin_transaction():
    context.run_migrations()
