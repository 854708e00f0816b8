"""DAOs whose rows belong to somebody."""

from collections.abc import Mapping
from copy import copy
from typing import ClassVar, Self

from carboy.daos.base import NOTHING, Dao, OtherT, RecordT
from carboy.daos.keyset import Place, Slice
from carboy.schemas.base import Record, Versions
from carboy.schemas.filters import Filter, Where


class OwnerUnsaidError(RuntimeError):
    """Rows that belong to somebody were asked for without saying whose: call `of` or `of_all` first."""


class OwnedDao(Dao[RecordT]):
    """A DAO that wants to know whose rows it is to find or change, so that nobody can forget the filter.

    ::

        await self._keys.of(actor.own_account).delete(key_id)

    To one owner the rows of the others are not there: asking for one raises `not_found`.

    Attributes:
        owner: The column that holds the owner's id.
    """

    owner: ClassVar[str]
    _scope: Mapping[str, object] | None = None

    def of(self, owner_id: int) -> Self:
        """Return the DAO of one owner's rows."""
        return self._scoped({self.owner: owner_id})

    def of_all(self) -> Self:
        """Return the DAO of everybody's rows, for what nobody asks on their own account."""
        return self._scoped({})

    async def add(self, values: Mapping[str, object]) -> RecordT:
        return await super().add({**values, **self._required()})

    async def add_as(self, record: type[OtherT], values: Mapping[str, object]) -> OtherT:
        return await super().add_as(record, {**values, **self._required()})

    def add_at_commit(self, values: Mapping[str, object]) -> None:
        super().add_at_commit({**values, **self._required()})

    async def page(
        self,
        *,
        limit: int,
        sort: str = "id",
        place: Place | None = None,
        search: str | None = None,
        where: Where = NOTHING,
    ) -> Slice[RecordT]:
        return await super().page(limit=limit, sort=sort, place=place, search=search, where=self._own(where))

    async def count(self, *, search: str | None = None, where: Where = NOTHING) -> int:
        return await super().count(search=search, where=self._own(where))

    async def update(self, identity: int, values: Mapping[str, object], *, versions: Versions = None) -> RecordT:
        # Within a transaction this locks the row, so that it is still the owner's when it is changed.
        await self.get(identity)
        return await super().update(identity, values, versions=versions)

    async def update_as(self, record: type[OtherT], identity: int, values: Mapping[str, object]) -> OtherT:
        await self.get(identity)
        return await super().update_as(record, identity, values)

    async def delete(self, identity: int, *, versions: Versions = None) -> None:
        await self.get(identity)
        await super().delete(identity, versions=versions)

    def _scoped(self, scope: Mapping[str, object]) -> Self:
        other = copy(self)
        other._scope = scope  # noqa: SLF001 - of its own kind.
        return other

    def _own(self, where: Where) -> Where:
        narrowed: dict[str | Filter, object] = dict(where.items())
        narrowed.update(self._required().items())
        return narrowed

    def _required(self) -> Mapping[str, object]:
        if self._scope is None:
            raise OwnerUnsaidError(f"{type(self).__name__}: say whose rows, by of(...) or of_all().")
        return self._scope

    async def _find_by(self, record: type[Record] | None = None, /, **equal: object) -> RecordT | None:
        return await super()._find_by(record, **equal, **self._required())
