from datetime import datetime

from sqlalchemy import Delete, bindparam, delete, select

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

    async def delete_expired(self, now: datetime, *, limit: int) -> None:
        """Delete rows that expired before now or expire now, at most this many, those that expired first.

        Rows that another transaction has locked are left to a later call instead of waited for.
        """
        statement = self._prepared(self._delete_expired)
        await self._database.execute(statement, {"now": now, "limit": limit}, writes=True)

    def _delete_expired(self) -> Delete:
        identity, expires_at = self._table.c.id, self._table.c.expires_at
        expired = select(identity).where(expires_at <= bindparam("now")).order_by(expires_at, identity)
        # A table expression is worked out once, where PostgreSQL may run a locking subquery again for each row. SQLite
        # has one writer, so that SQLAlchemy leaves the locking out there.
        chosen = expired.limit(bindparam("limit")).with_for_update(skip_locked=True).cte("chosen")
        return delete(self._table).where(identity.in_(select(chosen.c.id)))
