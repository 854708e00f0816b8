from collections.abc import AsyncIterator, Iterable
from typing import Any

from app.accounts.daos import AccountDao, RoleDao
from app.accounts.errors import BuiltInRoleError, UnknownRoleError
from app.accounts.schemas.accounts import AccountRead
from app.accounts.schemas.roles import RoleCreate, RoleQuery, RoleRead, RoleUpdate
from app.accounts.services.guarding import Guard
from app.audit.schemas import Event
from app.audit.services import Audit, audited
from app.security import ADMINISTRATOR, GRANTABLE, MEMBER, Actor
from carboy.schemas.base import Page, Versions
from carboy.services import Cursors, Service, UnitOfWork, read_only
from carboy.services.listing import every

BUILT_IN = frozenset({MEMBER, ADMINISTRATOR})


class RoleService(Service):
    """Manages roles, and who has them. Whoever may do this can give themselves everything."""

    def __init__(
        self,
        unit_of_work: UnitOfWork,
        roles: RoleDao,
        accounts: AccountDao,
        guard: Guard,
        cursors: Cursors,
        audit: Audit,
    ) -> None:
        super().__init__(unit_of_work)
        self._roles = roles
        self._accounts = accounts
        self._guard = guard
        self._cursors = cursors
        self._audit = audit

    @read_only
    async def list_roles(self, query: RoleQuery) -> Page[RoleRead]:
        """Return one page of roles.

        Raises:
            InvalidCursorError: The cursor is forged, or belongs to another list or sort.
        """
        return await self._cursors.page(self._roles, query)

    def every_role(self) -> AsyncIterator[RoleRead]:
        """Yield all roles."""
        return every(self._unit_of_work, self._roles)

    @read_only
    async def get_role(self, role_id: int) -> RoleRead:
        """Return a role.

        Raises:
            RoleNotFoundError: There is none with this id.
        """
        return await self._roles.get(role_id)

    @audited
    async def create_role(self, actor: Actor, new: RoleCreate) -> RoleRead:
        """Create a role.

        Raises:
            RoleNameTakenError: Another role has this name.
        """
        role = await self._roles.add(new.model_dump())
        await self._record(Event.ROLE_CREATED, actor, role, permissions=role.permissions)
        return role

    @audited
    async def update_role(self, actor: Actor, role_id: int, change: RoleUpdate, versions: Versions = None) -> RoleRead:
        """Change a role. What it permits changes for all who have it, from their next request on.

        Raises:
            RoleNotFoundError: There is no such role.
            StaleVersionError: The role has another version.
            BuiltInRoleError: It would lose its name, or the administrator a permission.
            RoleNameTakenError: As for `create_role`.
        """
        values = change.model_dump()
        role = await self._roles.get(role_id)
        loses_name = role.name in BUILT_IN and values.get("name", role.name) != role.name
        loses_permission = role.name == ADMINISTRATOR and not {*values.get("permissions", GRANTABLE)} >= {*GRANTABLE}
        if loses_name or loses_permission:
            raise BuiltInRoleError
        changed = await self._roles.update(role_id, values, versions=versions)
        await self._record(Event.ROLE_CHANGED, actor, changed, fields=sorted(values), permissions=changed.permissions)
        return changed

    @audited
    async def delete_role(self, actor: Actor, role_id: int, versions: Versions = None) -> None:
        """Delete a role; whoever has it loses it.

        Raises:
            RoleNotFoundError: There is no such role.
            StaleVersionError: The role has another version.
            BuiltInRoleError: It comes with the application.
        """
        role = await self._roles.get(role_id)
        if role.name in BUILT_IN:
            raise BuiltInRoleError
        await self._roles.delete(role_id, versions=versions)
        await self._record(Event.ROLE_DELETED, actor, role)

    @audited
    async def assign(
        self, actor: Actor, account_id: int, names: Iterable[str], versions: Versions = None
    ) -> AccountRead:
        """Give an account these roles, and no others.

        Raises:
            AccountNotFoundError: There is no such account.
            UnknownRoleError: There is no such role.
            LastAdministratorError: Nobody would be an administrator any more.
            StaleVersionError: The account has another version.
        """
        wanted = list(dict.fromkeys(names))
        missing = await self._roles.missing(wanted)
        if missing:
            raise UnknownRoleError(missing)
        if ADMINISTRATOR not in wanted:
            await self._accounts.lock(account_id)
            await self._guard.keep_an_administrator(account_id)
        account = await self._accounts.update(account_id, {"roles": wanted}, versions=versions)
        await self._audit.record(Event.ROLES_ASSIGNED, actor, subject_id=account_id, roles=wanted)
        return account

    async def _record(self, event: Event, actor: Actor, role: RoleRead, **details: Any) -> None:
        await self._audit.record(event, actor, target=f"role {role.name}", **details)
