"""A person with a session and a token, in each contender's database."""

from datetime import UTC, datetime, timedelta
from hashlib import sha256

from sqlalchemy import bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection

from bench.jobs import PERMISSION, TOKEN
from carboy.models.moments import UtcDateTime

_STAMPS, _NOW = "created_at, updated_at, version", ":now, :now, 1"
FILL = f"""
INSERT INTO roles (name, requires_second_factor, {_STAMPS}) VALUES ('reader', false, {_NOW});
INSERT INTO role_permissions (roles_id, permissions_id)
SELECT r.id, p.id FROM roles r, permissions p WHERE r.name = 'reader' AND p.name = :permission;
INSERT INTO accounts (kind, user_id, {_STAMPS}) VALUES ('person', 1, {_NOW});
INSERT INTO account_roles (accounts_id, roles_id)
SELECT a.id, r.id FROM accounts a, roles r WHERE a.user_id = 1 AND r.name IN ('member', 'reader');
INSERT INTO sessions (account_id, state, has_second_factor, authenticated_at, last_seen_at, idle_seconds,
                      idle_expires_at, expires_at, failures, {_STAMPS})
SELECT id, 'full', false, :now, :now, 86400, :later, :later, 0, {_NOW} FROM accounts;
INSERT INTO session_tokens (session_id, kind, digest, expires_at, {_STAMPS})
SELECT id, 'access', :digest, :later, {_NOW} FROM sessions
"""


async def add_account(connection: AsyncConnection) -> None:
    """Give the first user an account with a role, a session that lasts a day, and `TOKEN`."""
    now = datetime.now(UTC)
    given = {
        "now": bindparam("now", now, type_=UtcDateTime()),
        "later": bindparam("later", now + timedelta(days=1), type_=UtcDateTime()),
        "digest": bindparam("digest", sha256(TOKEN.encode()).hexdigest()),
        "permission": bindparam("permission", PERMISSION),
    }
    for statement in FILL.split(";"):
        used = [one for name, one in given.items() if f":{name}" in statement]
        await connection.execute(text(statement).bindparams(*used))
