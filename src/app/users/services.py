from collections.abc import Mapping
from typing import Protocol

from app.audit.schemas import Event
from app.audit.services import Audit, audited
from app.security import Actor, Permission
from app.users.daos import UserDao
from app.users.errors import ForeignFieldError
from app.users.schemas import UserCreate, UserQuery, UserRead, UserUpdate
from carboy.schemas.base import Page, Versions
from carboy.services.pagination import Cursors
from carboy.services.personal_data import Person
from carboy.services.transactions import Service, UnitOfWork, read_only

OWN_FIELDS = frozenset({"username", "full_name"})
"""What people may change of themselves here; their email address has a way that proves it, at ``/api/me/email``."""


FOLLOWED = frozenset({"email", "active"})
"""What becomes of an account depends on these alone."""


class UserAccounts(Protocol):
    """What becomes of a user's account when the user changes. `app.accounts` implements it; users do not know that."""

    async def created(self, actor: Actor, user: UserRead) -> None:
        """Make the user's account."""

    async def changed(self, actor: Actor, before: UserRead, user: UserRead) -> None:
        """Follow a change of what is `FOLLOWED`: who is no longer active is logged out."""

    async def deleting(self, actor: Actor, user: UserRead) -> Person:
        """Prepare for the user's deletion: what is the person's goes with it."""

    async def deleted(self, actor: Actor, person: Person) -> None:
        """Follow the user's deletion, once it is written down."""


class UserService(Service):
    """Manages users. Usernames and email addresses are unique, ignoring case."""

    def __init__(
        self, unit_of_work: UnitOfWork, users: UserDao, cursors: Cursors, accounts: UserAccounts, audit: Audit
    ) -> None:
        super().__init__(unit_of_work)
        self._users = users
        self._cursors = cursors
        self._accounts = accounts
        self._audit = audit

    @read_only
    async def list_users(self, query: UserQuery) -> Page[UserRead]:
        """Return one page of users.

        Raises:
            InvalidCursorError: The cursor is forged, or belongs to another list or sort.
        """
        return await self._cursors.page(self._users, query)

    @read_only
    async def get_user(self, user_id: int) -> UserRead:
        """Return a user.

        Raises:
            UserNotFoundError: There is none with this id.
        """
        return await self._users.get(user_id)

    @audited
    async def create_user(self, actor: Actor, new: UserCreate) -> UserRead:
        """Create a user, and the account that belongs to it.

        Raises:
            UsernameTakenError, EmailTakenError: Another user has it, ignoring case.
        """
        user = await self._users.add(new.model_dump())
        await self._accounts.created(actor, user)
        await self._audit.record(Event.USER_CREATED, actor, target=f"user {user.id}")
        return user

    @audited
    async def update_user(self, actor: Actor, user_id: int, change: UserUpdate, versions: Versions = None) -> UserRead:
        """Change the named fields, if the user still has one of these versions.

        Raises:
            ForeignFieldError: The actor may change their own name only.
            StaleVersionError: The user has another version.
            UserNotFoundError: There is no such user.
            UsernameTakenError, EmailTakenError: Another user has it, ignoring case.
        """
        values = change.model_dump()
        if not actor.may(Permission.USERS_WRITE) and not values.keys() <= OWN_FIELDS:
            raise ForeignFieldError
        return await self._update(actor, user_id, values, versions)

    @audited
    async def set_email(self, actor: Actor, user_id: int, email: str) -> UserRead:
        """Set an address that the user has proved.

        Raises:
            UserNotFoundError: There is no such user.
            EmailTakenError: Another user has it, ignoring case.
        """
        return await self._update(actor, user_id, {"email": email})

    async def _update(
        self, actor: Actor, user_id: int, values: Mapping[str, object], versions: Versions = None
    ) -> UserRead:
        # What an account does not follow costs no look-up of what was there before.
        before = await self._users.get(user_id) if FOLLOWED & values.keys() else None
        user = await self._users.update(user_id, values, versions=versions)
        if before is not None:
            await self._accounts.changed(actor, before, user)
        await self._audit.record(Event.USER_CHANGED, actor, target=f"user {user_id}", fields=sorted(values))
        return user

    @audited
    async def delete_user(self, actor: Actor, user_id: int, versions: Versions = None) -> None:
        """Delete a user, the account and all that is the person's, if the user still has one of these versions.

        What happened stays in the audit log without them.

        Raises:
            StaleVersionError: The user has another version.
            UserNotFoundError: There is no such user.
            InUseError: Other resources refer to the user.
        """
        person = await self._accounts.deleting(actor, await self._users.get(user_id))
        await self._users.delete(user_id, versions=versions)
        await self._audit.record(Event.USER_DELETED, actor, target=f"user {user_id}")
        await self._accounts.deleted(actor, person)
