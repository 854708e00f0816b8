"""spell whole seconds as SQL does

SQLite compares moments as text. A moment on a whole second was kept with six zeros, which CURRENT_TIMESTAMP does not
write. Few rows have one: of those that the application wrote itself, one in a million.

Revision ID: 3e7b52d90c61
Revises: 8c1f04e27d3b
"""

import sqlalchemy as sa
from alembic import op

revision = "3e7b52d90c61"
down_revision = "8c1f04e27d3b"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for column in ("created_at", "updated_at"):
            short = f"substr({column}, 1, 19)"
            op.execute(sa.text(f"UPDATE users SET {column} = {short} WHERE {column} LIKE '%.000000'"))  # noqa: S608 - of constants.


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for column in ("created_at", "updated_at"):
            long = f"{column} || '.000000'"
            op.execute(sa.text(f"UPDATE users SET {column} = {long} WHERE length({column}) = 19"))  # noqa: S608 - likewise.
