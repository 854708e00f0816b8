"""The service of a domain whose rules all stand in its schemas and its table."""

from typing import Any, Generic, TypeVar

from carboy.daos.base import NOTHING, Dao
from carboy.schemas.base import Change, Input, Page, PageQuery, Record, Versions
from carboy.schemas.filters import Where
from carboy.services.pagination import Cursors
from carboy.services.transactions import Service, UnitOfWork, read_only, transactional

RecordT = TypeVar("RecordT", bound=Record)
CreateT = TypeVar("CreateT", bound=Input)
ChangeT = TypeVar("ChangeT", bound=Change)


class CrudService(Service, Generic[RecordT, CreateT, ChangeT]):
    """Lists, gets, creates, updates and deletes the rows of one DAO, each call in one unit of work.

    ``class NoteService(CrudService[NoteRead, NoteCreate, NoteUpdate])``. A domain with a rule overrides the method that
    has it, and calls `rows`; it adds methods for what else it does.

    Attributes:
        rows: The DAO.
    """

    def __init__(self, unit_of_work: UnitOfWork, dao: Dao[Any], cursors: Cursors) -> None:
        super().__init__(unit_of_work)
        self.rows: Dao[RecordT] = dao
        self._cursors = cursors

    @read_only
    async def page(self, query: PageQuery, where: Where = NOTHING) -> Page[RecordT]:
        """Return one page of a list.

        Raises:
            InvalidCursorError: The cursor is forged, or belongs to another list or sort.
        """
        return await self._cursors.page(self.rows, query, where)

    @read_only
    async def get(self, identity: int) -> RecordT:
        """Return a row.

        Raises:
            NotFoundError: It does not exist; the DAO names the class.
        """
        return await self.rows.get(identity)

    @transactional
    async def create(self, new: CreateT) -> RecordT:
        """Create a row.

        Raises:
            ConflictError: Another row has one of its unique values; the DAO names the class.
            InvalidInputError: It refers to a row that does not exist.
        """
        return await self.rows.add(new.model_dump())

    @transactional
    async def update(self, identity: int, change: ChangeT, versions: Versions = None) -> RecordT:
        """Change the fields that are not missing, if the row still has one of these versions.

        Raises:
            NotFoundError, ConflictError, InvalidInputError: As for `get` and `create`.
            StaleVersionError: The row has another version.
        """
        return await self.rows.update(identity, change.model_dump(), versions=versions)

    @transactional
    async def delete(self, identity: int, versions: Versions = None) -> None:
        """Delete a row, if it still has one of these versions.

        Raises:
            NotFoundError: It does not exist.
            StaleVersionError: The row has another version.
            InUseError: Other rows refer to it.
        """
        await self.rows.delete(identity, versions=versions)
