from flask import url_for

from app.accounts.errors import BuiltInRoleError, RoleNameTakenError, RoleNotFoundError
from app.accounts.provided import Roles
from app.accounts.routes.common import RoleId
from app.accounts.schemas.roles import RoleCreate, RoleQuery, RoleRead, RoleUpdate
from app.security import Actor
from carboy.api import ApiBlueprint, Created, Expected, requires
from carboy.schemas.base import Page

roles = ApiBlueprint("roles", __name__, url_prefix="/api/roles", description="What accounts may do who have them.")


@roles.get("")
@requires("roles:manage")
async def list_roles(query: RoleQuery, service: Roles) -> Page[RoleRead]:
    """List roles."""
    return await service.list_roles(query)


@roles.post("", errors=[RoleNameTakenError])
@requires("roles:manage")
async def create_role(new: RoleCreate, actor: Actor, service: Roles) -> Created[RoleRead]:
    """Create a role."""
    role = await service.create_role(actor, new)
    return Created(role, url_for(".get_role", role_id=role.id))


@roles.get("/<int:role_id>", errors=[RoleNotFoundError])
@requires("roles:manage")
async def get_role(role_id: RoleId, service: Roles) -> RoleRead:
    """Get a role."""
    return await service.get_role(role_id)


@roles.patch("/<int:role_id>", errors=[RoleNotFoundError, RoleNameTakenError, BuiltInRoleError])
@requires("roles:manage")
async def update_role(
    role_id: RoleId, change: RoleUpdate, expected: Expected, actor: Actor, service: Roles
) -> RoleRead:
    """Change a role.

    What it permits holds for all who have it from their next request on.
    """
    return await service.update_role(actor, role_id, change, expected)


@roles.delete("/<int:role_id>", errors=[RoleNotFoundError, BuiltInRoleError])
@requires("roles:manage")
async def delete_role(role_id: RoleId, expected: Expected, actor: Actor, service: Roles) -> None:
    """Delete a role.

    Whoever has it loses it.
    """
    await service.delete_role(actor, role_id, expected)
