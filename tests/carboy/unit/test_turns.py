"""Connections are had in turn: nobody comes first who asked later, and no turn is lost."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from carboy.db.connection_queue import Turns

LONG = 60.0


async def waiting(turns: Turns) -> asyncio.Task[None]:
    """Start a task that takes a turn, and let it come so far as to wait."""
    task = asyncio.create_task(turns.take())
    await asyncio.sleep(0)
    return task


async def free_turns(turns: Turns) -> int:
    """Take all turns that can be had at once, and return how many they were."""
    number = 0
    while (task := await waiting(turns)).done():
        number += 1
    task.cancel()
    return number


async def test_there_are_as_many_turns_as_were_given_out_first() -> None:
    assert await free_turns(Turns(3, LONG)) == 3


async def test_the_longest_waiter_is_next() -> None:
    turns = Turns(1, LONG)
    await turns.take()
    first, second = await waiting(turns), await waiting(turns)
    turns.give()
    late = await waiting(turns)
    assert (first.done(), second.done(), late.done()) == (True, False, False)
    turns.give()
    turns.give()
    await asyncio.gather(second, late)
    turns.give()
    assert await free_turns(turns) == 1


async def test_a_waiter_times_out_without_taking_a_turn() -> None:
    turns = Turns(1, 0.01)
    await turns.take()
    with pytest.raises(PoolTimeoutError, match=r"in use for 0\.01 seconds"):
        await turns.take()
    turns.give()
    assert await free_turns(turns) == 1


async def test_a_cancelled_waiter_is_skipped() -> None:
    turns = Turns(1, LONG)
    await turns.take()
    gone, patient = await waiting(turns), await waiting(turns)
    gone.cancel()
    turns.give()
    await patient
    assert gone.cancelled()


@pytest.mark.parametrize("wait", [lambda: asyncio.sleep(0), lambda: asyncio.sleep(0.01)], ids=["at once", "later"])
async def test_a_waiter_cancelled_with_a_turn_passes_it_on(wait: Callable[[], Awaitable[None]]) -> None:
    turns = Turns(1, LONG)
    await turns.take()
    gone, patient = await waiting(turns), await waiting(turns)
    turns.give()
    gone.cancel()
    await wait()
    await patient
    assert gone.cancelled()
    turns.give()
    assert await free_turns(turns) == 1


async def test_a_turn_given_just_before_the_time_is_up_counts() -> None:
    turns = Turns(1, 0.0)
    await turns.take()
    late = await waiting(turns)
    turns.give()
    await late
    turns.give()
    assert await free_turns(turns) == 1


async def test_a_turn_given_just_after_the_time_was_up_goes_to_the_next() -> None:
    turns = Turns(1, 0.0)
    await turns.take()
    late = await waiting(turns)
    # This runs after the timer and before the task that it woke.
    asyncio.get_running_loop().call_later(0.0, turns.give)
    with pytest.raises(PoolTimeoutError):
        await late
    assert await free_turns(turns) == 1


async def test_every_waiter_has_the_same_timeout() -> None:
    turns = Turns(1, 0.05)
    loop = asyncio.get_running_loop()
    await turns.take()
    first = await waiting(turns)
    await asyncio.sleep(0.02)
    began = loop.time()
    with pytest.raises(PoolTimeoutError):
        await turns.take()
    assert loop.time() - began > 0.045
    assert isinstance(first.exception(), PoolTimeoutError)
    turns.give()
    assert await free_turns(turns) == 1


def test_turns_serve_one_event_loop_after_another() -> None:
    turns = Turns(1, 0.01)

    async def wait_in_vain() -> None:
        with pytest.raises(PoolTimeoutError):
            await turns.take()

    async def leave_one_waiting() -> None:
        await turns.take()
        await waiting(turns)

    asyncio.run(leave_one_waiting())
    asyncio.run(wait_in_vain())
    turns.give()
    assert asyncio.run(free_turns(turns)) == 1
