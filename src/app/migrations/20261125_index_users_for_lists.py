"""index users for lists

Revision ID: 5d0c7be1a942
Revises: f2a675760b18
"""

import unicodedata

import sqlalchemy as sa
from alembic import op

revision = "5d0c7be1a942"
down_revision = "f2a675760b18"
branch_labels = None
depends_on = None

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
BATCH = 1000
users = sa.table("users", sa.column("id"), sa.column("full_name"), sa.column("full_name_key"))


def upgrade() -> None:
    op.add_column("users", sa.Column("full_name_key", KEY, nullable=True))
    _fold_full_names(op.get_bind())
    _compare_keys_by("C")
    op.create_index(op.f("ix_users_created_at_id"), "users", ["created_at", "id"])


def downgrade() -> None:
    op.drop_index(op.f("ix_users_created_at_id"), "users")
    _compare_keys_by("default")
    op.drop_column("users", "full_name_key")


def _compare_keys_by(collation: str) -> None:
    # SQLite compares code points as it is.
    if op.get_bind().dialect.name == "postgresql":
        for name in ("username_key", "email_key"):
            op.alter_column("users", name, type_=sa.Text(collation=collation), existing_nullable=False)


def _fold_full_names(connection: sa.Connection) -> None:
    after = 0
    named = sa.select(users.c.id, users.c.full_name).where(users.c.full_name.is_not(None)).order_by(users.c.id)
    change = sa.update(users).where(users.c.id == sa.bindparam("row"))
    while rows := connection.execute(named.where(users.c.id > after).limit(BATCH)).all():
        keys = [{"row": row.id, "full_name_key": _fold(row.full_name)} for row in rows]
        connection.execute(change.values(full_name_key=sa.bindparam("full_name_key")), keys)
        after = rows[-1].id


def _fold(name: str) -> str:
    # As the service does it today: a migration is history, and must not change with that.
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFD", name).casefold())
    return unicodedata.normalize("NFKC", folded.casefold())
