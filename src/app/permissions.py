"""Steps of migrations that add permissions and take them away: they are rows, which each role may have."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import BigInteger, Integer, Text, column, delete, insert, select, table

from carboy.models.moments import UtcDateTime

ID = BigInteger().with_variant(Integer(), "sqlite")
# As the tables were when they were made: a migration knows no models, which change.
PERMISSIONS = table(
    "permissions",
    column("id", ID),
    column("name", Text),
    column("created_at", UtcDateTime),
    column("updated_at", UtcDateTime),
    column("version", Integer),
)
ROLES = table("roles", column("id", ID), column("name", Text))
LINKS = table("role_permissions", column("roles_id", ID), column("permissions_id", ID))


def permit(op: Any, *names: str, role: str = "administrator") -> None:
    """Add permissions, and give them to a role.

    Args:
        op: Alembic's operations.
        *names: The permissions, as ``invoices:read``.
        role: Who gets them.
    """
    now = datetime.now(UTC)
    op.bulk_insert(PERMISSIONS, [{"name": name, "created_at": now, "updated_at": now, "version": 1} for name in names])
    both = ROLES.join(PERMISSIONS, PERMISSIONS.c.name.in_(names))
    granted = select(ROLES.c.id, PERMISSIONS.c.id).select_from(both).where(ROLES.c.name == role)
    op.execute(insert(LINKS).from_select(["roles_id", "permissions_id"], granted))


def withdraw(op: Any, *names: str) -> None:
    """Remove permissions, from all roles too."""
    # SQLite enforces no references while it migrates, so that nothing goes with a row by itself.
    gone = select(PERMISSIONS.c.id).where(PERMISSIONS.c.name.in_(names))
    op.execute(delete(LINKS).where(LINKS.c.permissions_id.in_(gone)))
    op.execute(delete(PERMISSIONS).where(PERMISSIONS.c.name.in_(names)))
