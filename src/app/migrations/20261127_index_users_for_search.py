"""index users for search

Revision ID: 3b9e5a0c74f1
Revises: 3e7b52d90c61
"""

from alembic import op

from carboy.models.search import create_search_index, drop_search_index

revision = "3b9e5a0c74f1"
down_revision = "3e7b52d90c61"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_search_index(op, "users", ["username_key", "email_key", "full_name_key"])


def downgrade() -> None:
    drop_search_index(op, "users")
