"""A system's clock is set while workers run: nothing runs twice, nothing waits until time has come there again."""

from datetime import UTC, datetime, timedelta

import pytest
from support.jobs import BEGIN, JobContainer, Script, act, another_worker, call, work_off

from carboy.jobs import Jobs, State
from carboy.jobs.worker import Worker
from carboy.testing import ManualClock

HEARTBEAT, HOURS = 15.0, timedelta(hours=3)


async def held_by(worker: Worker, jobs: Jobs, script: Script) -> int:
    """Let a worker begin a job that does not end by itself."""
    script.blocks("long")
    enqueued = await jobs.enqueue(act, "long")
    assert await worker.claim() == 1
    await script.entered["long"].wait()
    return enqueued.id


@pytest.mark.parametrize("set_by", [HOURS, -HOURS])
async def test_a_job_of_a_worker_that_lives_runs_once_though_the_clock_is_set(
    jobs: Jobs, job_container: JobContainer, script: Script, clock: ManualClock, set_by: timedelta
) -> None:
    worker, other = job_container.job_worker(), another_worker(job_container)
    await held_by(worker, jobs, script)
    await other.claim()
    clock.forward(HEARTBEAT)
    assert await other.rescue() == 0
    clock.now += set_by
    for _ in range(20):
        await worker.drop_lapsed()
        assert await other.claim() + await other.rescue() + await worker.rescue() == 0
        clock.forward(HEARTBEAT)
        await worker.beat()
    script.released["long"].set()
    await worker.until_idle()
    assert (script.ran, script.cancelled) == (["long"], [])


async def test_the_job_of_a_lost_worker_is_rescued_though_its_lease_ends_hours_later_by_the_clock(
    jobs: Jobs, worker: Worker, other: Worker, script: Script, clock: ManualClock
) -> None:
    job_id = await held_by(worker, jobs, script)
    clock.now -= HOURS
    script.does.clear()
    for _ in range(12):
        assert await other.rescue() == 0
        clock.forward(HEARTBEAT)
    assert await other.rescue() == 1
    script.released["long"].set()
    await other.until_idle()
    found = await jobs.status(job_id)
    assert (found.state, found.attempt, found.lapses) == (State.DONE, 2, 1)


async def test_a_worker_whose_clock_is_ahead_takes_no_job_of_one_that_lives(
    jobs: Jobs, worker: Worker, job_container: JobContainer, script: Script, clock: ManualClock
) -> None:
    await held_by(worker, jobs, script)
    ahead = another_worker(job_container)
    for _ in range(20):
        clock.forward(HEARTBEAT)
        await worker.beat()
        clock.now += timedelta(minutes=5)
        assert await ahead.rescue() == 0
        clock.now -= timedelta(minutes=5)
    script.released["long"].set()
    await worker.until_idle()


async def test_what_was_enqueued_by_a_clock_that_was_ahead_runs_at_once(
    jobs: Jobs, worker: Worker, script: Script, clock: ManualClock
) -> None:
    await worker.claim()
    clock.now = BEGIN + HOURS
    await worker.claim()
    await jobs.enqueue(act, "at once")
    await jobs.enqueue(act.options(delay=60), "later")
    clock.now = BEGIN
    assert await work_off(worker) == 1
    assert script.ran == ["at once"]


async def test_what_was_enqueued_by_a_clock_that_was_ahead_runs_at_once_after_a_restart(
    jobs: Jobs, job_container: JobContainer, script: Script, clock: ManualClock
) -> None:
    clock.now = BEGIN + HOURS
    await jobs.enqueue(act, "at once")
    clock.now = BEGIN
    assert await work_off(another_worker(job_container)) == 1


async def test_schedules_go_by_the_new_time(
    job_container: JobContainer, worker: Worker, script: Script, clock: ManualClock
) -> None:
    await worker.fire()
    for now in (
        BEGIN + HOURS + timedelta(minutes=1),
        BEGIN + timedelta(minutes=1),
        BEGIN + timedelta(minutes=9),
        BEGIN + timedelta(minutes=10),
        BEGIN + timedelta(minutes=11),
    ):
        clock.now = now
        await worker.fire()
    assert await work_off(worker) == 2
    assert sorted(script.ran) == ["tick 12:10", "tick 15:00"]


async def test_a_worker_that_starts_after_the_clock_was_set_back_fires_by_the_new_time(
    job_container: JobContainer, script: Script, clock: ManualClock
) -> None:
    clock.now = datetime(2036, 1, 1, tzinfo=UTC)
    await another_worker(job_container).fire()
    clock.now = BEGIN
    worker = another_worker(job_container)
    await worker.fire()
    clock.now = BEGIN + timedelta(minutes=10)
    await worker.fire()
    assert await work_off(worker) == 1
    assert script.ran == ["tick 12:10"]


async def test_a_tick_that_has_been_fired_is_not_fired_again_by_a_clock_that_is_set_back_a_little(
    worker: Worker, script: Script, clock: ManualClock
) -> None:
    await worker.fire()
    for minutes in (10, 2, 10, 20):
        clock.now = BEGIN + timedelta(minutes=minutes)
        await worker.fire()
    await work_off(worker)
    assert script.ran == ["tick 12:10", "tick 12:20"]


async def test_a_rate_forgets_starts_that_a_clock_has_noted_which_was_ahead(
    jobs: Jobs, worker: Worker, script: Script, clock: ManualClock
) -> None:
    clock.now = BEGIN + HOURS
    for label in "abc":
        await jobs.enqueue(call, label)
    assert await work_off(worker) == 2
    clock.now = BEGIN
    assert await work_off(worker) == 1
