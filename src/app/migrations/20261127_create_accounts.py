"""create accounts

Whoever is a user by then gets an account, and may log in once a password reset has been sent to their address.

Revision ID: 286d90a9f1ae
Revises: 3b9e5a0c74f1
"""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from carboy.models.moments import UtcDateTime

revision = "286d90a9f1ae"
down_revision = "3b9e5a0c74f1"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")

ROLES = {
    "member": [],
    "administrator": ["users:read", "users:write", "accounts:manage", "roles:manage", "audit:read"],
}
DESCRIPTIONS = {"member": "Everybody.", "administrator": "May do everything."}


def upgrade() -> None:
    op.create_table(
        "audit_events",
        sa.Column("id", ID, nullable=False),
        sa.Column("event", sa.String(length=60), nullable=False),
        sa.Column("actor_kind", sa.String(length=20), nullable=False),
        sa.Column("actor_id", sa.BigInteger(), nullable=True),
        sa.Column("credential", sa.String(length=80), nullable=True),
        sa.Column("subject_id", sa.BigInteger(), nullable=True),
        sa.Column("target", sa.String(length=200), nullable=True),
        sa.Column("address", sa.String(length=45), nullable=True),
        sa.Column("agent", sa.String(length=255), nullable=True),
        sa.Column("details", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_events")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_audit_events_actor_id_id"), "audit_events", ["actor_id", "id"])
    op.create_index(op.f("ix_audit_events_created_at_id"), "audit_events", ["created_at", "id"])
    op.create_index(op.f("ix_audit_events_subject_id_id"), "audit_events", ["subject_id", "id"])
    op.create_table(
        "permissions",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", KEY, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_permissions")),
        sa.UniqueConstraint("name", name=op.f("uq_permissions_name")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "roles",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", KEY, nullable=False),
        sa.Column("description", sa.String(length=200), nullable=True),
        sa.Column("requires_second_factor", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_roles")),
        sa.UniqueConstraint("name", name=op.f("uq_roles_name")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "accounts",
        sa.Column("id", ID, nullable=False),
        sa.Column("kind", KEY, nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=True),
        sa.Column("name", sa.String(length=80), nullable=True),
        sa.Column("name_key", KEY, nullable=True),
        sa.Column("disabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("email_verified_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("kind IN ('person', 'service')", name=op.f("ck_accounts_kind")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_accounts_user_id_users"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounts")),
        sa.UniqueConstraint("name_key", name=op.f("uq_accounts_name_key")),
        sa.UniqueConstraint("user_id", name=op.f("uq_accounts_user_id")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "role_permissions",
        sa.Column("roles_id", ID, nullable=False),
        sa.Column("permissions_id", ID, nullable=False),
        sa.ForeignKeyConstraint(
            ["permissions_id"],
            ["permissions.id"],
            name=op.f("fk_role_permissions_permissions_id_permissions"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["roles_id"], ["roles.id"], name=op.f("fk_role_permissions_roles_id_roles"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("roles_id", "permissions_id", name=op.f("pk_role_permissions")),
    )
    op.create_index(op.f("ix_role_permissions_permissions_id"), "role_permissions", ["permissions_id"])
    op.create_table(
        "account_roles",
        sa.Column("accounts_id", ID, nullable=False),
        sa.Column("roles_id", ID, nullable=False),
        sa.ForeignKeyConstraint(
            ["accounts_id"], ["accounts.id"], name=op.f("fk_account_roles_accounts_id_accounts"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["roles_id"], ["roles.id"], name=op.f("fk_account_roles_roles_id_roles"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("accounts_id", "roles_id", name=op.f("pk_account_roles")),
    )
    op.create_index(op.f("ix_account_roles_roles_id"), "account_roles", ["roles_id"])
    op.create_table(
        "api_keys",
        sa.Column("id", ID, nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=True),
        sa.Column("has_second_factor", sa.Boolean(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_address", sa.String(length=45), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_api_keys_account_id_accounts"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("digest", name=op.f("uq_api_keys_digest")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_api_keys_account_id"), "api_keys", ["account_id"])
    op.create_table(
        "credentials",
        sa.Column("id", ID, nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", KEY, nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("last_step", sa.BigInteger(), nullable=True),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("kind IN ('password', 'totp', 'recovery')", name=op.f("ck_credentials_kind")),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_credentials_account_id_accounts"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credentials")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_credentials_account_id_kind"), "credentials", ["account_id", "kind"])
    op.create_table(
        "one_time_tokens",
        sa.Column("id", ID, nullable=False),
        sa.Column("purpose", KEY, nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=True),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("role", sa.Text(), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "purpose IN ('reset', 'verify', 'change_email', 'invite', 'first_administrator')",
            name=op.f("ck_one_time_tokens_purpose"),
        ),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_one_time_tokens_account_id_accounts"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_one_time_tokens")),
        sa.UniqueConstraint("digest", name=op.f("uq_one_time_tokens_digest")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_one_time_tokens_account_id"), "one_time_tokens", ["account_id"])
    op.create_index(op.f("ix_one_time_tokens_expires_at"), "one_time_tokens", ["expires_at"])
    op.create_table(
        "sessions",
        sa.Column("id", ID, nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=True),
        sa.Column("state", KEY, nullable=False),
        sa.Column("has_second_factor", sa.Boolean(), nullable=False),
        sa.Column("device", sa.String(length=80), nullable=True),
        sa.Column("address", sa.String(length=45), nullable=True),
        sa.Column("agent", sa.String(length=255), nullable=True),
        sa.Column("scopes", sa.Text(), nullable=True),
        sa.Column("authenticated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("idle_seconds", sa.Integer(), nullable=False),
        sa.Column("idle_expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("flash", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("state IN ('pre', 'half', 'full')", name=op.f("ck_sessions_state")),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_sessions_account_id_accounts"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sessions")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_sessions_account_id"), "sessions", ["account_id"])
    op.create_index(op.f("ix_sessions_idle_expires_at"), "sessions", ["idle_expires_at"])
    op.create_table(
        "session_tokens",
        sa.Column("id", ID, nullable=False),
        sa.Column("session_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", KEY, nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("parent_id", sa.BigInteger(), nullable=True),
        sa.Column("consumed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("kind IN ('access', 'refresh', 'cookie', 'half')", name=op.f("ck_session_tokens_kind")),
        sa.ForeignKeyConstraint(
            ["parent_id"],
            ["session_tokens.id"],
            name=op.f("fk_session_tokens_parent_id_session_tokens"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["session_id"], ["sessions.id"], name=op.f("fk_session_tokens_session_id_sessions"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_session_tokens")),
        sa.UniqueConstraint("digest", name=op.f("uq_session_tokens_digest")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_session_tokens_parent_id"), "session_tokens", ["parent_id"])
    op.create_index(op.f("ix_session_tokens_session_id"), "session_tokens", ["session_id"])

    _add_roles()
    _add_accounts_of_users()


def _add_roles() -> None:
    now = datetime.now(UTC)
    common = {"created_at": now, "updated_at": now, "version": 1}
    names = [{"id": number, "name": name, **common} for number, name in enumerate(ROLES["administrator"], 1)]
    op.bulk_insert(_table("permissions", id=ID, name=sa.Text), names)
    roles = [
        {"id": number, "name": name, "description": DESCRIPTIONS[name], "requires_second_factor": False, **common}
        for number, name in enumerate(ROLES, 1)
    ]
    columns = {"id": ID, "name": sa.Text, "description": sa.Text, "requires_second_factor": sa.Boolean}
    op.bulk_insert(_table("roles", **columns), roles)
    links = [{"roles_id": 2, "permissions_id": row["id"]} for row in names]
    op.bulk_insert(sa.table("role_permissions", sa.column("roles_id", ID), sa.column("permissions_id", ID)), links)
    if op.get_bind().dialect.name == "postgresql":
        # Ids that were given by hand do not count the sequences on.
        op.execute("SELECT setval('permissions_id_seq', (SELECT max(id) FROM permissions))")
        op.execute("SELECT setval('roles_id_seq', (SELECT max(id) FROM roles))")


def _add_accounts_of_users() -> None:
    op.execute(
        "INSERT INTO accounts (kind, user_id, disabled_at, created_at, updated_at, version)"
        " SELECT 'person', id, CASE WHEN active THEN NULL ELSE updated_at END, created_at, updated_at, 1"
        " FROM users ORDER BY id"
    )
    op.execute("INSERT INTO account_roles (accounts_id, roles_id) SELECT id, 1 FROM accounts")


def _table(table: str, /, **columns: Any) -> sa.TableClause:
    # The types are for `flask db sql`, which writes the values into the text.
    columns |= {"created_at": UtcDateTime, "updated_at": UtcDateTime, "version": sa.Integer}
    return sa.table(table, *(sa.column(one, kind) for one, kind in columns.items()))


def downgrade() -> None:
    op.drop_table("session_tokens")
    op.drop_table("sessions")
    op.drop_table("one_time_tokens")
    op.drop_table("credentials")
    op.drop_table("api_keys")
    op.drop_table("account_roles")
    op.drop_table("role_permissions")
    op.drop_table("accounts")
    op.drop_table("roles")
    op.drop_table("permissions")
    op.drop_table("audit_events")
