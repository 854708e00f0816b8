"""create rate limit counts

Revision ID: 5d0c7b1e92fa
Revises: ca687aac758c
"""

import sqlalchemy as sa
from alembic import op

revision = "5d0c7b1e92fa"
down_revision = "ca687aac758c"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "rate_limit_counts",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rate_limit_counts")),
        sa.UniqueConstraint("key", name=op.f("uq_rate_limit_counts_key")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_rate_limit_counts_expires_at"), "rate_limit_counts", ["expires_at"])


def downgrade() -> None:
    op.drop_index(op.f("ix_rate_limit_counts_expires_at"), "rate_limit_counts")
    op.drop_table("rate_limit_counts")
