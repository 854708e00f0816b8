"""What is known of a person: each domain says what it has, gives it out, and erases it."""

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from carboy.daos.base import Dao
from carboy.daos.belonging import stays_when_deleted, table_referred_to, tables_shown
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


IDENTITIES = {"users": "user_id", "accounts": "account_id"}
"""By the table that a row refers to, the attribute of `Person` with the id."""


class OwnedRows(PersonalData):
    """The rows of a DAO that refer to a user or an account: they are given out as its records, and deleted.

    Args:
        unit_of_work: What reads them.
        rows: Their DAO.
        owner: The column with the reference; an `OwnedDao` says it itself.
        erasable: Whether they may be deleted. Those that have to be kept, such as invoices, may not: if their reference
            restricts deletion, the person stays too as long as they are there, which is 409 ``in_use``.

    Raises:
        TypeError: No column is given, it refers to something else, or rows that are deleted would stay.
    """

    def __init__(
        self, unit_of_work: UnitOfWork, rows: Dao[Any], *, owner: str | None = None, erasable: bool = True
    ) -> None:
        self._unit_of_work = unit_of_work
        self._rows = rows.of_all() if isinstance(rows, OwnedDao) else rows
        self._owner = owner or (rows.owner if isinstance(rows, OwnedDao) else "")
        self._is_erasable = erasable
        self.tables = tables_shown(rows)
        name, identity = type(rows).__name__, IDENTITIES.get(table_referred_to(rows, self._owner) or "")
        if identity is None:
            raise TypeError(
                f"OwnedRows of {name}: {self._owner or 'no column'} refers to no user and no account."
                ' Write owner="user_id", with the column that does.'
            )
        if erasable and stays_when_deleted(rows):
            raise TypeError(f"OwnedRows of {name}: its deleted rows stay. Write a PersonalData that erases them.")
        self._identity = identity

    async def export(self, person: Person) -> AsyncGenerator[Row, None]:
        async for record in every(self._unit_of_work, self._rows, self._of(person)):
            yield self._rows.name, record.model_dump(mode="json")

    async def erase(self, person: Person) -> None:
        where = self._of(person)
        while self._is_erasable and (found := (await self._rows.page(limit=MAX_PAGE_SIZE, where=where)).records):
            for record in found:
                await self._rows.delete(record.id)

    def _of(self, person: Person) -> Mapping[str, object]:
        return {self._owner: getattr(person, self._identity)}
