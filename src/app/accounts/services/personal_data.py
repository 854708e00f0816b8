from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any

from app.accounts.daos import AccountDao
from app.accounts.errors import PersonRequiredError
from app.accounts.schemas.export import PersonalDataRead
from app.accounts.services.personal_data_parts import PersonalDataParts
from app.audit.schemas import Event
from app.audit.services import Audit, audited
from app.security import Actor
from app.settings import AccountSettings
from app.users.services import UserService
from carboy.services import Service, UnitOfWork, read_only
from carboy.services.personal_data import Person

MAX_ROWS = 10_000
"""Of one table, in an answer: what is audited of somebody in years."""


class PersonalDataService(Service):
    """Gives a person all that is known of them, and erases it."""

    def __init__(
        self,
        unit_of_work: UnitOfWork,
        accounts: AccountDao,
        users: UserService,
        parts: PersonalDataParts,
        audit: Audit,
        settings: AccountSettings,
    ) -> None:
        super().__init__(unit_of_work)
        self._parts = parts
        self._accounts = accounts
        self._users = users
        self._audit = audit
        self._settings = settings

    async def export_own(self, actor: Actor) -> PersonalDataRead:
        """Return what is known of the actor, at most `MAX_ROWS` rows of a table.

        Raises:
            PersonRequiredError: The actor is a service.
        """
        return await self.export(actor, actor.own_account, limit=MAX_ROWS)

    async def export(self, actor: Actor, account_id: int, *, limit: int | None = None) -> PersonalDataRead:
        """Return what is known of a person: each page of rows as it is when it is read.

        Raises:
            AccountNotFoundError: There is no such account.
            PersonRequiredError: It is a service's.
        """
        person = await self._find(account_id)
        data: dict[str, list[dict[str, Any]]] = {}
        truncated: set[str] = set()
        for part in self._parts.all:
            async with aclosing(part.export(person)) as exported:
                async for table, row in exported:
                    rows = data.setdefault(table, [])
                    if limit is not None and len(rows) >= limit:
                        # What the part would have gone on with is missing, too.
                        truncated.update(part.tables)
                        break
                    rows.append(dict(row))
        await self._note_export(actor, account_id)
        return PersonalDataRead(exported_at=datetime.now(UTC), data=data, truncated=sorted(truncated))

    async def erase_own(self, actor: Actor) -> None:
        """Erase the actor, who has logged in just now.

        Raises:
            FreshLoginRequiredError: The login was too long ago, or the actor came by a key (ASVS 5.0 7.5.1).
            PersonRequiredError, LastAdministratorError, InUseError: As for `erase`.
        """
        actor.require_fresh(self._settings.fresh)
        await self.erase(actor, actor.own_account)

    @audited
    async def erase(self, actor: Actor, account_id: int) -> None:
        """Erase a person by deleting the user: what is theirs goes, what happened stays without them.

        Raises:
            AccountNotFoundError: There is no such account.
            PersonRequiredError: It is a service's.
            ForbiddenError: It may do more than the actor.
            LastAdministratorError: Nobody would be an administrator any more.
            InUseError: A domain keeps what refers to the person.
        """
        person = await self._find(account_id)
        await self._users.delete_user(actor, person.user_id)

    @read_only
    async def _find(self, account_id: int) -> Person:
        await self._accounts.lock(account_id)
        found = await self._accounts.find_login_of(account_id)
        if found is None:
            raise PersonRequiredError
        return Person(account_id=account_id, user_id=found.user_id, username=found.username, email=found.email)

    @audited
    async def _note_export(self, actor: Actor, account_id: int) -> None:
        await self._audit.record(Event.ACCOUNT_EXPORTED, actor, subject_id=account_id)
