from collections.abc import AsyncIterator
from datetime import UTC, datetime

from app.accounts.daos import AccountDao, RoleDao, SessionDao
from app.accounts.errors import AccountNotFoundError, UnknownRoleError
from app.accounts.schemas.accounts import AccountQuery, AccountRead, ServiceCreate, ServiceUpdate
from app.accounts.schemas.internal import LoginRow
from app.accounts.schemas.kinds import AccountKind
from app.accounts.schemas.me import MeRead, MeUpdate
from app.accounts.services.guarding import Guard
from app.audit.schemas import Event
from app.audit.services import Audit, audited
from app.security import Actor, Permission
from app.users.schemas import UserUpdate
from app.users.services import UserService
from carboy.schemas.base import Page, Versions
from carboy.security.errors import ForbiddenError
from carboy.services import Cursors, Service, UnitOfWork, read_only
from carboy.services.listing import every


class AccountService(Service):
    """Shows accounts, one's own and others', and manages those of services."""

    def __init__(
        self,
        unit_of_work: UnitOfWork,
        accounts: AccountDao,
        roles: RoleDao,
        sessions: SessionDao,
        users: UserService,
        guard: Guard,
        cursors: Cursors,
        audit: Audit,
    ) -> None:
        super().__init__(unit_of_work)
        self._accounts = accounts
        self._roles = roles
        self._sessions = sessions
        self._users = users
        self._guard = guard
        self._cursors = cursors
        self._audit = audit

    @read_only
    async def get_me(self, actor: Actor) -> MeRead:
        """Return the actor's own account."""
        account = await self._accounts.get(actor.own_account)
        return _me(actor, account, await self._accounts.find_login_of(account.id))

    @audited
    async def update_me(self, actor: Actor, change: MeUpdate) -> MeRead:
        """Change the actor's own profile.

        Raises:
            ForbiddenError: A service has no profile.
            UsernameTakenError: Another user has it, ignoring case.
        """
        if actor.user_id is None:
            raise ForbiddenError
        values = change.model_dump()
        await self._users.update_user(actor, actor.user_id, UserUpdate.model_construct(**values))
        await self._audit.record(Event.PROFILE_CHANGED, actor, subject_id=actor.own_account, fields=sorted(values))
        return await self.get_me(actor)

    @read_only
    async def list_accounts(self, query: AccountQuery) -> Page[AccountRead]:
        """Return one page of accounts.

        Raises:
            InvalidCursorError: The cursor is forged, or belongs to another list or sort.
        """
        return await self._cursors.page(self._accounts, query)

    @read_only
    async def get_account(self, account_id: int) -> AccountRead:
        """Return an account.

        Raises:
            AccountNotFoundError: There is none with this id.
        """
        return await self._accounts.get(account_id)

    @read_only
    async def get_account_of_user(self, user_id: int) -> AccountRead:
        """Return the account of a user.

        Raises:
            AccountNotFoundError: There is no such user.
        """
        found = await self._accounts.find_by_user(user_id)
        if found is None:
            raise AccountNotFoundError
        return found

    def every_account(self) -> AsyncIterator[AccountRead]:
        """Yield all accounts."""
        return every(self._unit_of_work, self._accounts)

    @read_only
    async def get_person(self, login: str) -> LoginRow:
        """Return the person with this username or email address, for whoever runs a command.

        Raises:
            AccountNotFoundError: There is none.
        """
        found = await self._accounts.find_login(login)
        if found is None:
            raise AccountNotFoundError
        return found

    @audited
    async def create_service(self, actor: Actor, new: ServiceCreate) -> AccountRead:
        """Create a service account. To give it roles takes the permission to give them.

        Raises:
            ForbiddenError: The actor may not give roles.
            UnknownRoleError: There is no such role.
            ServiceNameTakenError: Another service has this name.
        """
        roles = list(dict.fromkeys(new.roles))
        if roles and not actor.may(Permission.ROLES_MANAGE):
            raise ForbiddenError
        missing = await self._roles.missing(roles)
        if missing:
            raise UnknownRoleError(missing)
        account = await self._accounts.add({"kind": AccountKind.SERVICE, "name": new.name, "roles": roles})
        await self._audit.record(Event.SERVICE_CREATED, actor, subject_id=account.id, name=new.name, roles=roles)
        return account

    @audited
    async def update_service(
        self, actor: Actor, account_id: int, change: ServiceUpdate, versions: Versions = None
    ) -> AccountRead:
        """Rename, disable or enable a service account. A disabled one's keys are refused from the next request on.

        Raises:
            AccountNotFoundError: There is no such service account.
            ForbiddenError: It may do more than the actor.
            ServiceNameTakenError: Another service has this name.
            StaleVersionError: The account has another version.
        """
        await self._require_service(actor, account_id)
        values = change.model_dump()
        if "disabled" in values:
            values["disabled_at"] = datetime.now(UTC) if values.pop("disabled") else None
        account = await self._accounts.update(account_id, values, versions=versions)
        await self._audit.record(Event.SERVICE_CHANGED, actor, subject_id=account_id, fields=sorted(values))
        return account

    @audited
    async def delete_service(self, actor: Actor, account_id: int, versions: Versions = None) -> None:
        """Delete a service account and its keys.

        Raises:
            AccountNotFoundError: There is no such service account.
            ForbiddenError: It may do more than the actor.
            StaleVersionError: The account has another version.
        """
        await self._require_service(actor, account_id)
        await self._accounts.delete(account_id, versions=versions)
        await self._audit.record(Event.SERVICE_DELETED, actor, subject_id=account_id)

    async def _require_service(self, actor: Actor, account_id: int) -> None:
        account = await self._accounts.get(account_id)
        if account.kind is not AccountKind.SERVICE:
            raise AccountNotFoundError
        await self._guard.require_no_less(actor, account_id)


def _me(actor: Actor, account: AccountRead, person: LoginRow | None) -> MeRead:
    return MeRead(
        account_id=account.id,
        kind=account.kind.value,
        name=person.username if person is not None else account.name or "",
        user_id=actor.user_id,
        email=None if person is None else person.email,
        full_name=None if person is None else person.full_name,
        email_verified=account.email_verified_at is not None,
        second_factor=person is not None and person.has_second_factor,
        roles=account.roles,
        permissions=sorted(actor.effective),
    )
