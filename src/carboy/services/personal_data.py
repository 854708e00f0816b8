"""What is known of a person: each domain says what it has, gives it out, and erases it."""

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from carboy.daos.owned import OwnedDao
from carboy.schemas.base import MAX_PAGE_SIZE
from carboy.services.listing import every
from carboy.services.transactions import UnitOfWork

Row = tuple[str, Mapping[str, Any]]
"""The name of a table, and what one of its rows tells of a person, as JSON has it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Person:
    """Whose data it is.

    Attributes:
        account_id: The account's id.
        user_id: The id of the user that the account belongs to.
        username: The user's name.
        email: The user's email address.
    """

    account_id: int
    user_id: int
    username: str
    email: str


class PersonalData(ABC):
    """A domain's part in what is known of a person. The container gives all parts to whoever exports and erases.

    Attributes:
        tables: The tables that it cares for. A test wants each table that leads to a person to be among them.
    """

    tables: Sequence[str]

    @abstractmethod
    def export(self, person: Person) -> AsyncGenerator[Row, None]:
        """Yield what is known of a person, without secrets, and without what is somebody else's."""

    @abstractmethod
    async def erase(self, person: Person) -> None:
        """Delete it, or take the person out of it, in the transaction that is open; it may run again after a conflict.

        Rows that go with those that they refer to need nothing.
        """


class OwnedRows(PersonalData):
    """The rows of an `OwnedDao` whose owner is an account: they are given out as its records, and deleted."""

    def __init__(self, unit_of_work: UnitOfWork, rows: OwnedDao[Any]) -> None:
        self._unit_of_work = unit_of_work
        self._rows = rows
        self.tables = (rows.name,)

    async def export(self, person: Person) -> AsyncGenerator[Row, None]:
        async for record in every(self._unit_of_work, self._rows.of(person.account_id)):
            yield self._rows.name, record.model_dump(mode="json")

    async def erase(self, person: Person) -> None:
        own = self._rows.of(person.account_id)
        while found := (await own.page(limit=MAX_PAGE_SIZE)).records:
            for record in found:
                await own.delete(record.id)
