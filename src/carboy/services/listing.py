from collections.abc import AsyncIterator, Mapping
from functools import partial

from carboy.daos.base import NOTHING, Dao, RecordT
from carboy.daos.keyset import Place
from carboy.schemas.base import MAX_PAGE_SIZE
from carboy.services.transactions import UnitOfWork


async def every(
    unit_of_work: UnitOfWork, rows: Dao[RecordT], where: Mapping[str, object] = NOTHING
) -> AsyncIterator[RecordT]:
    """Yield all rows by their ids, a page at a time, each page in a unit of its own."""
    place: Place | None = None
    more = True
    while more:
        found = await unit_of_work.read(partial(rows.page, limit=MAX_PAGE_SIZE, place=place, where=where))
        for record in found.records:
            yield record
        more, place = found.more, Place(found.last) if found.records else None
