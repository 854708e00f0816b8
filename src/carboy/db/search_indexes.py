"""Makes Alembic compare the search index of each table with its model's ``__search__``: see `carboy.models.search`."""

from collections.abc import Sequence
from typing import Any

from alembic.autogenerate import renderers
from alembic.autogenerate.api import AutogenContext
from alembic.operations import ops
from alembic.runtime.plugins import Plugin
from alembic.util import PriorityDispatchResult
from sqlalchemy import Table

from carboy.models.search import SEARCHED, columns_of_index

PLUGIN = "carboy.search_indexes"


class SearchIndexOp(ops.MigrateOperation):
    """Creates or drops the search index of a table.

    Attributes:
        table: The name of the table.
        columns: The columns of the index.
        verb: ``create`` or ``drop``.
    """

    def __init__(self, table: str, columns: Sequence[str], verb: str) -> None:
        self.table, self.columns, self.verb = table, [*columns], verb

    def reverse(self) -> "SearchIndexOp":
        return SearchIndexOp(self.table, self.columns, "drop" if self.verb == "create" else "create")

    def to_diff_tuple(self) -> tuple[Any, ...]:
        return (f"{self.verb}_search_index", self.table, self.columns)


def _compare(context: AutogenContext, modified: ops.ModifyTableOps, *place: Any) -> PriorityDispatchResult:
    _, name, found, wanted = place
    there: list[str] = []
    if isinstance(found, Table) and context.connection is not None:
        there = columns_of_index(context.connection, name)
    after = [*wanted.info.get(SEARCHED, ())] if isinstance(wanted, Table) else []
    # Their order says nothing of what is found.
    if set(there) != set(after):
        modified.ops += [SearchIndexOp(name, there, "drop")] if there else []
        modified.ops += [SearchIndexOp(name, after, "create")] if after else []
    return PriorityDispatchResult.CONTINUE


@renderers.dispatch_for(SearchIndexOp)
def _render(context: AutogenContext, operation: SearchIndexOp) -> str:
    context.imports.add("from carboy.models.search import create_search_index, drop_search_index")
    columns = f", {operation.columns!r}" if operation.verb == "create" else ""
    return f"{operation.verb}_search_index(op, {operation.table!r}{columns})"


Plugin(PLUGIN).add_autogenerate_comparator(_compare, "table", "search_indexes")
