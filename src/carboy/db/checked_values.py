"""Makes Alembic notice when a CHECK constraint allows other values; Alembic compares names only."""

import re
from typing import Any

from alembic.autogenerate.api import AutogenContext
from alembic.operations import ops
from alembic.runtime.plugins import Plugin
from alembic.util import PriorityDispatchResult
from sqlalchemy import CheckConstraint, Table
from sqlalchemy.sql.elements import conv

PLUGIN = "carboy.checked_values"


def _compare(context: AutogenContext, modified: ops.ModifyTableOps, *place: Any) -> PriorityDispatchResult:
    schema, name, found, wanted = place
    if isinstance(found, Table) and isinstance(wanted, Table):
        there = {check["name"]: check["sqltext"] for check in context.inspector.get_check_constraints(name, schema)}
        for check in wanted.constraints:
            before = there.get(str(check.name))
            if isinstance(check, CheckConstraint) and before is not None and _allows_others(check, before, context):
                old = CheckConstraint(before, name=conv(str(check.name)), table=found)
                modified.ops += [ops.DropConstraintOp.from_constraint(old), ops.AddConstraintOp.from_constraint(check)]
    return PriorityDispatchResult.CONTINUE


def _allows_others(check: CheckConstraint, before: str, context: AutogenContext) -> bool:
    after = str(check.sqltext.compile(dialect=context.dialect, compile_kwargs={"literal_binds": True}))
    return " IN (" in after and _texts(after) != _texts(before)


def _texts(condition: str) -> set[str]:
    # PostgreSQL writes ``a IN ('x')`` as ``a = ANY (ARRAY['x'::text])``.
    return set(re.findall(r"'((?:[^']|'')*)'", condition))


Plugin(PLUGIN).add_autogenerate_comparator(_compare, "table", "checked_values")
