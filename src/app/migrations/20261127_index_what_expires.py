"""index what expires

Revision ID: 9c41d7e0b6a3
Revises: 286d90a9f1ae
"""

from alembic import op

revision = "9c41d7e0b6a3"
down_revision = "286d90a9f1ae"
branch_labels = None
depends_on = None

INDEXES = {"session_tokens": ["expires_at"], "api_keys": ["expires_at"], "audit_events": ["event", "id"]}


def upgrade() -> None:
    # While others write: none of these tables need be small.
    with op.get_context().autocommit_block():
        for table, columns in INDEXES.items():
            name = op.f(f"ix_{table}_{'_'.join(columns)}")
            op.create_index(name, table, columns, postgresql_concurrently=True, if_not_exists=True)


def downgrade() -> None:
    for table, columns in INDEXES.items():
        op.drop_index(op.f(f"ix_{table}_{'_'.join(columns)}"), table)
