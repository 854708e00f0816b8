"""The greenlets in which requests and database calls wait are used again, and those that are too many end."""

import asyncio
import gc
from contextvars import copy_context

from sqlalchemy.util import await_only

from carboy.bridge.greenlets import BridgeGreenlet, await_here, greenlets
from carboy.db.greenlets import DatabaseGreenlet, spawn
from carboy.greenlets import MOST_IDLE, PooledGreenlet

CROWD = 3 * MOST_IDLE


def living(kind: type[PooledGreenlet]) -> int:
    gc.collect()
    return sum(isinstance(found, kind) for found in gc.get_objects())


async def test_a_crowd_of_requests_leaves_no_more_greenlets_than_are_kept() -> None:
    before = living(BridgeGreenlet)
    for _ in range(3):
        everybody = asyncio.Barrier(CROWD)
        await asyncio.gather(*(greenlets.run(copy_context(), await_here, everybody.wait()) for _ in range(CROWD)))
    assert 0 < living(BridgeGreenlet) <= before + MOST_IDLE


async def test_a_crowd_of_database_calls_leaves_no_more_greenlets_than_are_kept() -> None:
    before = living(DatabaseGreenlet)
    for _ in range(3):
        everybody = asyncio.Barrier(CROWD)
        await asyncio.gather(*(spawn(await_only, everybody.wait()) for _ in range(CROWD)))
    assert 0 < living(DatabaseGreenlet) <= before + MOST_IDLE
