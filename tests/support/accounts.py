"""Accounts for tests: the roles that the migration makes, and two service accounts with a key each.

A service has no user, so that tests of users begin with none. Its key costs no login: most tests send it with every
request, as `HEADERS`, and are about something else.
"""

# ruff: noqa: S608 - the statements are made of constants.
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from argon2 import PasswordHasher
from sqlalchemy import Connection, MetaData, event, text

from app.accounts.daos import AccountDao, OneTimeTokenDao, RoleDao, SessionDao
from app.accounts.services.guarding import Guard
from app.accounts.services.one_time_tokens import OneTimeTokens
from app.accounts.services.people import PeoplesAccounts
from app.accounts.services.personal_data_parts import PersonalDataParts
from app.audit.daos import AuditEventDao
from app.audit.personal_data import AuditTrail
from app.audit.services import Audit
from app.security import ADMINISTRATOR, GRANTABLE, MEMBER, Actor, Permission
from carboy.db import Database
from carboy.models import Base
from carboy.security.actor import ActorKind
from carboy.security.tokens import Tokens, digest_of

KEY = "carboy_key_ForTestsOnly00000000000000000000000000000002qktgY"
"""That of a service with all permissions."""
MEMBER_KEY = "carboy_key_ForTestsOfAMember0000000000000000000000000037qy3k"
"""That of a service with none."""
HEADERS = {"Authorization": f"Bearer {KEY}"}
MEMBER_HEADERS = {"Authorization": f"Bearer {MEMBER_KEY}"}
HEADER_LINE = f"authorization: Bearer {KEY}\r\n".encode()
"""The same for a request that is written by hand."""
RAW_HEADERS = [(b"authorization", f"Bearer {KEY}".encode())]
"""The same in a scope of ASGI."""

ADMIN = Actor(kind=ActorKind.JOB, permissions=frozenset(Permission), credential="a test")
"""An actor for calls of services."""

STAMPS, NOW = "created_at, updated_at, version", "CURRENT_TIMESTAMP, CURRENT_TIMESTAMP, 1"


def _permission(name: str) -> str:
    return f"INSERT INTO permissions (name, {STAMPS}) VALUES ('{name}', {NOW})"


def _role(name: str) -> str:
    return f"INSERT INTO roles (name, requires_second_factor, {STAMPS}) VALUES ('{name}', false, {NOW})"


def _service(name: str, role: str, key: str) -> Iterator[str]:
    yield f"INSERT INTO accounts (kind, name, name_key, {STAMPS}) VALUES ('service', '{name}', '{name}', {NOW})"
    accounts, roles = f"accounts a WHERE a.name = '{name}'", f"(SELECT id FROM roles WHERE name = '{role}')"
    yield f"INSERT INTO account_roles (accounts_id, roles_id) SELECT a.id, {roles} FROM {accounts}"
    # As if it had just been used, so that no write follows the requests of a test.
    used = "2999-01-01 00:00:00"
    columns = f"account_id, name, digest, has_second_factor, last_used_at, {STAMPS}"
    values = f"a.id, '{name}', '{digest_of(key)}', true, '{used}', {NOW}"
    yield f"INSERT INTO api_keys ({columns}) SELECT {values} FROM {accounts}"


_GRANT = (
    "INSERT INTO role_permissions (roles_id, permissions_id)"
    f" SELECT r.id, p.id FROM roles r, permissions p WHERE r.name = '{ADMINISTRATOR}'"
)
ROLES = [
    *map(_permission, GRANTABLE),
    *map(_role, (MEMBER, ADMINISTRATOR)),
    _GRANT,
]
SERVICES = [*_service("tests", ADMINISTRATOR, KEY), *_service("member tests", MEMBER, MEMBER_KEY)]


def fill(_metadata: MetaData, connection: Connection, **_options: object) -> None:
    """Insert the rows into a database whose tables were just made of the models."""
    for statement in (*ROLES, *SERVICES):
        connection.execute(text(statement))


event.listen(Base.metadata, "after_create", fill)


def add_services(file: Path) -> None:
    """Add the services to a SQLite file that has been migrated."""
    with closing(sqlite3.connect(file)) as connection, connection:
        for statement in SERVICES:
            connection.execute(statement)


def add_person(file: Path, name: str, password: str) -> None:
    """Add a person who can log in to a SQLite file that has been migrated."""
    encoded = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(password)
    person = (name, name, f"{name}@example.org", f"{name}@example.org")
    columns = f"(username, username_key, email, email_key, active, {STAMPS})"
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute(f"INSERT INTO users {columns} VALUES (?, ?, ?, ?, 1, {NOW})", person)
        connection.execute(f"INSERT INTO accounts (kind, user_id, {STAMPS}) SELECT 'person', max(id), {NOW} FROM users")
        credential = f"SELECT max(id), 'password', ?, {NOW} FROM accounts"
        connection.execute(f"INSERT INTO credentials (account_id, kind, secret, {STAMPS}) {credential}", [encoded])


def make_administrator(file: Path, name: str) -> None:
    """Give a person of a SQLite file the role of administrators."""
    account = "SELECT a.id FROM accounts a JOIN users u ON u.id = a.user_id WHERE u.username = ?"
    role = f"(SELECT id FROM roles WHERE name = '{ADMINISTRATOR}')"
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute(f"INSERT INTO account_roles (accounts_id, roles_id) VALUES (({account}), {role})", [name])


def audit_of(database: Database) -> Audit:
    return Audit(AuditEventDao(database))


def people_of(database: Database) -> PeoplesAccounts:
    accounts, sessions, roles = AccountDao(database), SessionDao(database), RoleDao(database)
    one_time_tokens = OneTimeTokens(database, OneTimeTokenDao(database), Tokens())
    parts = PersonalDataParts(trail=AuditTrail(database, AuditEventDao(database)))
    guard = Guard(accounts, roles)
    return PeoplesAccounts(accounts, sessions, one_time_tokens, parts, guard, audit_of(database))
