from datetime import UTC, datetime

from app.accounts.daos import AccountDao, SessionDao
from app.accounts.schemas.internal import AccountKey
from app.accounts.schemas.kinds import AccountKind, Purpose
from app.accounts.services.guarding import Guard
from app.accounts.services.one_time_tokens import OneTimeTokens
from app.accounts.services.personal_data_parts import PersonalDataParts
from app.audit.schemas import Event
from app.audit.services import Audit
from app.security import MEMBER, Actor
from app.users.schemas import UserRead
from carboy.services.personal_data import Person

BOUND_TO_EMAIL = (Purpose.RESET, Purpose.VERIFY, Purpose.CHANGE_EMAIL)


class PeoplesAccounts:
    """Keeps the accounts of people as their users are, within the unit of work of each change of a user."""

    def __init__(
        self,
        accounts: AccountDao,
        sessions: SessionDao,
        one_time_tokens: OneTimeTokens,
        parts: PersonalDataParts,
        guard: Guard,
        audit: Audit,
    ) -> None:
        self._accounts = accounts
        self._sessions = sessions
        self._one_time_tokens = one_time_tokens
        self._parts = parts
        self._guard = guard
        self._audit = audit

    async def created(self, actor: Actor, user: UserRead) -> None:
        disabled_at = None if user.active else datetime.now(UTC)
        values = {"kind": AccountKind.PERSON, "user_id": user.id, "disabled_at": disabled_at, "roles": [MEMBER]}
        account = await self._accounts.add_as(AccountKey, values)
        await self._audit.record(Event.ACCOUNT_REGISTERED, actor, subject_id=account.id)

    async def changed(self, actor: Actor, before: UserRead, user: UserRead) -> None:
        """Follow a change of a user.

        Raises:
            ForbiddenError: The actor would get hold of an account that may do more than theirs.
            LastAdministratorError: Nobody would be an administrator any more.
        """
        if (before.active, before.email) == (user.active, user.email):
            return
        account_id = await self._accounts.lock_of_user(user.id)
        await self._guard.require_no_less(actor, account_id)
        if before.email != user.email:
            await self._accounts.update_as(AccountKey, account_id, {"email_verified_at": None})
            await self._one_time_tokens.drop(account_id, *BOUND_TO_EMAIL)
            await self._audit.record(Event.EMAIL_CHANGED, actor, subject_id=account_id)
        if before.active and not user.active:
            await self._guard.keep_an_administrator(account_id)
            await self._accounts.update_as(AccountKey, account_id, {"disabled_at": datetime.now(UTC)})
            await self._sessions.end_all(account_id)
            await self._audit.record(Event.ACCOUNT_DISABLED, actor, subject_id=account_id)
        elif user.active and not before.active:
            await self._accounts.update_as(AccountKey, account_id, {"disabled_at": None})
            await self._audit.record(Event.ACCOUNT_ENABLED, actor, subject_id=account_id)

    async def deleting(self, actor: Actor, user: UserRead) -> Person:
        """Check that a user's account may go, and erase what is the person's; the account goes with the user.

        Raises:
            ForbiddenError: It may do more than the actor's.
            LastAdministratorError: Nobody would be an administrator any more.
            InUseError: A domain keeps what refers to the person.
        """
        account_id = await self._accounts.lock_of_user(user.id)
        await self._guard.require_no_less(actor, account_id)
        await self._guard.keep_an_administrator(account_id)
        person = Person(account_id=account_id, user_id=user.id, username=user.username, email=user.email)
        await self._parts.erase(person)
        await self._audit.record(Event.ACCOUNT_DELETED, actor, subject_id=account_id)
        return person

    async def deleted(self, actor: Actor, person: Person) -> None:
        """Write the erasure down, and take the person out of the audit log."""
        await self._audit.record(Event.ACCOUNT_ERASED, actor, subject_id=person.account_id)
        await self._parts.erase_trail(person)
