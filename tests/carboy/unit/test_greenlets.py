"""The greenlets in which requests and database calls wait are used again, and those that are too many end."""

import asyncio
import gc
from contextvars import copy_context

from greenlet import greenlet
from sqlalchemy.util import await_only

from carboy.bridge import greenlets
from carboy.db import greenlets as db


def living(kind: type[greenlet]) -> int:
    gc.collect()
    return sum(isinstance(found, kind) for found in gc.get_objects())


async def test_no_more_greenlets_are_left_after_a_crowd_than_are_kept() -> None:
    pool, crowd = greenlets.Greenlets(), 3 * greenlets.MOST_IDLE
    before = living(greenlets.BridgeGreenlet)
    for _ in range(3):
        everybody = asyncio.Barrier(crowd)
        await asyncio.gather(*(pool.run(copy_context(), greenlets.await_here, everybody.wait()) for _ in range(crowd)))
    assert living(greenlets.BridgeGreenlet) <= before + greenlets.MOST_IDLE


async def test_a_crowd_of_database_calls_leaves_no_more_greenlets_than_are_kept() -> None:
    pool, crowd = db.Greenlets(), 3 * db.MOST_IDLE
    before = living(db.DatabaseGreenlet)
    for _ in range(3):
        everybody = asyncio.Barrier(crowd)
        await asyncio.gather(*(pool.run(await_only, everybody.wait()) for _ in range(crowd)))
    assert living(db.DatabaseGreenlet) <= before + db.MOST_IDLE
