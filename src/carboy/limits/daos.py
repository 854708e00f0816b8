from datetime import datetime
from typing import Any

from sqlalchemy import BindParameter, Delete, bindparam, case, delete, or_
from sqlalchemy.dialects import postgresql

from carboy.daos.base import Dao
from carboy.errors import NotFoundError
from carboy.limits.models import RateLimitCount
from carboy.limits.schemas import CountRead


class RateLimitCountDao(Dao[CountRead]):
    model, record, not_found = RateLimitCount, CountRead, NotFoundError

    async def count_up(self, key: str, amount: int, *, now: datetime, expires_at: datetime) -> CountRead:
        """Add to the count of a key by one statement, and return it; a window that has ended begins anew.

        So does one that ends later than any can, as the clock was ahead when it began: nobody is kept out until then.

        Args:
            key: At most 64 characters.
            amount: What to add.
            now: The current time.
            expires_at: When a window that begins now ends.
        """
        # A window more, as the clocks of hosts differ by some seconds.
        latest = expires_at + (expires_at - now)
        values = {"key": key, "amount": amount, "now": now, "expires_at": expires_at, "latest": latest}
        rows = await self._database.execute(self._prepared(self._count), values, writes=True)
        return CountRead.model_validate(rows[0])

    async def find_by_key(self, key: str) -> CountRead | None:
        return await self._find_by(key=key)

    async def reset(self, key: str) -> None:
        """Forget the count of a key."""
        await self._database.execute(self._prepared(self._reset), {"key": key}, writes=True)

    def _count(self) -> Any:
        table = self._table
        now: BindParameter[datetime] = bindparam("now", type_=table.c.expires_at.type)
        expires_at: BindParameter[datetime] = bindparam("expires_at")
        amount: BindParameter[int] = bindparam("amount")
        # SQLite's dialect spells it the same way.
        insert = postgresql.insert(table).values(
            key=bindparam("key"), count=amount, expires_at=expires_at, created_at=now, updated_at=now, version=1
        )
        latest: BindParameter[datetime] = bindparam("latest", type_=table.c.expires_at.type)
        has_ended = or_(table.c.expires_at <= now, table.c.expires_at > latest)
        return insert.on_conflict_do_update(
            index_elements=[table.c.key],
            set_={
                "count": case((has_ended, insert.excluded.count), else_=table.c.count + insert.excluded.count),
                "expires_at": case((has_ended, insert.excluded.expires_at), else_=table.c.expires_at),
                "updated_at": now,
            },
        ).returning(table.c.id, table.c.count, table.c.expires_at)

    def _reset(self) -> Delete:
        return delete(self._table).where(self._table.c.key == bindparam("key"))
