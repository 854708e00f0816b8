"""permit jobs

Administrators may see background jobs, and run them again, cancel and delete them.

Revision ID: 6b0d91c4e7a2
Revises: 9c41d7e0b6a3
"""

from alembic import op

from app.permissions import permit, withdraw

revision = "6b0d91c4e7a2"
down_revision = "9c41d7e0b6a3"
branch_labels = None
depends_on = None

NAMES = ("jobs:read", "jobs:write")


def upgrade() -> None:
    permit(op, *NAMES)


def downgrade() -> None:
    withdraw(op, *NAMES)
