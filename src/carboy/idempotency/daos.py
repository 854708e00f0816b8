from collections.abc import Sequence

from sqlalchemy import ColumnElement, Executable, bindparam, delete, select

from carboy.daos.base import Dao
from carboy.errors import NotFoundError
from carboy.idempotency.errors import IdempotencyKeyInUseError
from carboy.idempotency.models import IdempotencyKey
from carboy.idempotency.schemas import IdempotencyKeyRead


class IdempotencyKeyDao(Dao[IdempotencyKeyRead]):
    model, record, not_found = IdempotencyKey, IdempotencyKeyRead, NotFoundError
    conflicts = {"key": IdempotencyKeyInUseError}

    async def find_by_key(self, scope: str, key: str) -> IdempotencyKeyRead | None:
        return await self._find_by(scope=scope, key=key)

    async def ending_in(self, scope: str) -> Sequence[IdempotencyKeyRead]:
        """Return the keys whose scope ends so."""
        rows = await self._database.execute(self._prepared(self._ending), {"scope": scope})
        return await self._parts.reading.records(self._database, rows)

    async def delete_ending_in(self, scope: str) -> None:
        await self._database.execute(self._prepared(self._delete_ending), {"scope": scope}, writes=True)

    def _ending(self) -> Executable:
        return select(*(self._table.c[name] for name in self._parts.reading.names)).where(self._ends())

    def _delete_ending(self) -> Executable:
        return delete(self._table).where(self._ends())

    def _ends(self) -> ColumnElement[bool]:
        return self._table.c.scope.endswith(bindparam("scope"))
