"""permit jobs

Administrators may see background jobs, and run them again, cancel and delete them.

Revision ID: 6b0d91c4e7a2
Revises: 9c41d7e0b6a3
"""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

from carboy.models.moments import UtcDateTime

revision = "6b0d91c4e7a2"
down_revision = "9c41d7e0b6a3"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
NAMES = ("jobs:read", "jobs:write")
permissions = sa.table(
    "permissions",
    sa.column("id", ID),
    sa.column("name", sa.Text),
    sa.column("created_at", UtcDateTime),
    sa.column("updated_at", UtcDateTime),
    sa.column("version", sa.Integer),
)
roles = sa.table("roles", sa.column("id", ID), sa.column("name", sa.Text))
links = sa.table("role_permissions", sa.column("roles_id", ID), sa.column("permissions_id", ID))


def upgrade() -> None:
    now = datetime.now(UTC)
    op.bulk_insert(permissions, [{"name": name, "created_at": now, "updated_at": now, "version": 1} for name in NAMES])
    both = roles.join(permissions, permissions.c.name.in_(NAMES))
    granted = sa.select(roles.c.id, permissions.c.id).select_from(both).where(roles.c.name == "administrator")
    op.execute(sa.insert(links).from_select(["roles_id", "permissions_id"], granted))


def downgrade() -> None:
    # SQLite enforces no references while it migrates, so that nothing goes with a row by itself.
    gone = sa.select(permissions.c.id).where(permissions.c.name.in_(NAMES))
    op.execute(sa.delete(links).where(links.c.permissions_id.in_(gone)))
    op.execute(sa.delete(permissions).where(permissions.c.name.in_(NAMES)))
