from collections.abc import AsyncGenerator

from carboy.idempotency.daos import IdempotencyKeyDao
from carboy.idempotency.services import suffix_of
from carboy.services import UnitOfWork
from carboy.services.personal_data import Person, PersonalData, Row

TOLD = {"id", "status", "expires_at"}
"""What was answered may be about somebody else."""


class StoredAnswers(PersonalData):
    """The answers that are kept in case an account sends its requests again."""

    tables = ("idempotency_keys",)

    def __init__(self, unit_of_work: UnitOfWork, keys: IdempotencyKeyDao) -> None:
        self._unit_of_work = unit_of_work
        self._keys = keys

    async def export(self, person: Person) -> AsyncGenerator[Row, None]:
        suffix = suffix_of(person.account_id)
        for key in await self._unit_of_work.read(lambda: self._keys.ending_in(suffix)):
            yield "idempotency_keys", key.model_dump(mode="json", include=TOLD)

    async def erase(self, person: Person) -> None:
        await self._keys.delete_ending_in(suffix_of(person.account_id))
