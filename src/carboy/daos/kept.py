"""What rows are kept for: a domain declares it, and `carboy.retention` deletes what is older."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from carboy.daos.base import NOTHING, Dao
from carboy.models.base import table_of
from carboy.models.moments import UtcDateTime


class Kept:
    """Rows of a table that are kept for some time and then go by themselves.

    Args:
        rows: The table's DAO.
        since: The column of the moment from which on the time counts, such as ``expires_at``. It needs an index.
        age: How long rows are kept after that moment; None for ever.
        where: Which rows, if not all: values by column, as for `Dao.page`.
    """

    def __init__(
        self,
        rows: Dao[Any],
        *,
        since: str,
        age: timedelta | None = timedelta(0),
        where: Mapping[str, object] = NOTHING,
    ) -> None:
        self.age = age
        self._rows, self._since, self._where = rows, since, where

    @property
    def name(self) -> str:
        """The table, and which of its rows."""
        return " ".join([self._rows.name, *map(str, self._where.values())])

    @property
    def mistake(self) -> str | None:
        """What is wrong with the declaration, in a sentence; None if nothing is."""
        table = table_of(self._rows.model)
        if self._since not in table.c or not isinstance(table.c[self._since].type, UtcDateTime):
            return f"{table.name} has no column of moments {self._since!r}"
        # What is compared for equality may stand before it in the index.
        wanted = len(self._where) + 1
        starts = [[column.name for column in index.columns][:wanted] for index in table.indexes]
        if not any(start[-1] == self._since and {*start} == {*self._where, self._since} for start in starts):
            return f"{table.name} has no index on {', '.join([*self._where, self._since])}, by which to find what goes"
        return None

    async def delete(self, now: datetime, *, limit: int) -> int:
        """Delete what is kept no longer, at most this many rows, and return how many there were."""
        if self.age is None:
            return 0
        return await self._rows.delete_until(self._since, now - self.age, limit=limit, where=self._where)
