"""Permissions are rows, which migrations add and take away, on each database."""

from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Connection, text

from app.permissions import permit, withdraw
from app.security import ADMINISTRATOR, GRANTABLE, MEMBER
from carboy.db import Engines

GRANTED = text(
    "SELECT permissions.name FROM roles JOIN role_permissions ON roles_id = roles.id"
    " JOIN permissions ON permissions.id = permissions_id WHERE roles.name = :role"
)


def granted_to(role: str, connection: Connection) -> set[str]:
    return {*connection.execute(GRANTED, {"role": role}).scalars()}


def change(connection: Connection) -> None:
    op = Operations(MigrationContext.configure(connection))
    before = granted_to(ADMINISTRATOR, connection)
    permit(op, "invoices:read", "invoices:write")
    permit(op, "notes:read", role=MEMBER)
    assert granted_to(ADMINISTRATOR, connection) == before | {"invoices:read", "invoices:write"}
    assert "notes:read" in granted_to(MEMBER, connection)
    withdraw(op, "invoices:read", "invoices:write", "notes:read")
    assert granted_to(ADMINISTRATOR, connection) == before
    assert "notes:read" not in granted_to(MEMBER, connection)


async def test_a_permission_is_given_to_a_role_and_taken_from_all(engines: Engines) -> None:
    async with engines.migrator.begin() as connection:
        await connection.run_sync(change)


async def test_migrations_give_each_permission_that_roles_can_have_to_administrators(engines: Engines) -> None:
    async with engines.reader.connect() as connection:
        assert await connection.run_sync(lambda one: granted_to(ADMINISTRATOR, one)) == {*GRANTABLE}
