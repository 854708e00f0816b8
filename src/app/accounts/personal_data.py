from collections.abc import AsyncGenerator
from typing import Any

from app.accounts.daos import AccountDao, CredentialDao, OneTimeTokenDao
from carboy.schemas.base import Record
from carboy.schemas.emails import fold_email
from carboy.services import UnitOfWork
from carboy.services.listing import every
from carboy.services.personal_data import Person, PersonalData, Row

SECRETS = {"secret", "last_step"}
"""Of a credential, what is given to nobody."""


class AccountData(PersonalData):
    """An account, and by what its owner comes in. It goes with the user, but for invitations to the address."""

    tables = ("accounts", "account_roles", "credentials", "session_tokens", "one_time_tokens")

    def __init__(
        self,
        unit_of_work: UnitOfWork,
        accounts: AccountDao,
        credentials: CredentialDao,
        one_time_tokens: OneTimeTokenDao,
    ) -> None:
        self._unit_of_work = unit_of_work
        self._accounts = accounts
        self._credentials = credentials
        self._one_time_tokens = one_time_tokens

    async def export(self, person: Person) -> AsyncGenerator[Row, None]:
        account = await self._unit_of_work.read(lambda: self._accounts.get(person.account_id))
        yield "accounts", account.model_dump(mode="json")
        async for credential in every(self._unit_of_work, self._credentials.of(person.account_id)):
            yield "credentials", _told(credential)
        tokens = every(self._unit_of_work, self._one_time_tokens, {"account_id": person.account_id})
        async for token in tokens:
            yield "one_time_tokens", _told(token)

    async def erase(self, person: Person) -> None:
        await self._one_time_tokens.delete_invitations(fold_email(person.email))


def _told(record: Record) -> dict[str, Any]:
    return record.model_dump(mode="json", exclude=SECRETS)
