"""Which jobs run, and when: unique keys, priorities, queues, rates, schedules; wake-ups, stops, retention, metrics."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from support.databases import rows_of
from support.jobs import (
    BEGIN,
    JobContainer,
    Script,
    act,
    another_worker,
    call,
    once,
    refresh,
    send,
    welcome,
    work_off,
)

from carboy.db import Database
from carboy.jobs import Cron, Jobs, Missed, State
from carboy.jobs.worker import Worker
from carboy.testing import ManualClock


async def test_a_unique_job_is_enqueued_once_until_it_has_ended(jobs: Jobs, worker: Worker, script: Script) -> None:
    first = await jobs.enqueue(once, "a", note="1")
    script.blocks("a1")
    assert await jobs.enqueue(once, "a", note="2") == (first.id, False)
    assert (await jobs.enqueue(once, "b")).is_new
    await worker.claim()
    await script.entered["a1"].wait()
    assert await jobs.enqueue(once, "a", note="3") == (first.id, False)
    script.released["a1"].set()
    await worker.until_idle()
    assert (await jobs.enqueue(once, "a", note="4")).is_new
    await work_off(worker)
    assert sorted(script.ran) == ["a1", "a4", "b"]


async def test_a_key_is_held_over_the_stated_states(jobs: Jobs, worker: Worker, script: Script) -> None:
    script.blocks("a")
    started, removed = await jobs.enqueue(refresh, "a"), await jobs.enqueue(welcome, "b")
    assert await jobs.enqueue(refresh, "a") == (started.id, False)
    await worker.claim()
    await script.entered["a"].wait()
    assert (await jobs.enqueue(refresh, "a")).is_new
    script.released["a"].set()
    await work_off(worker)
    assert (await jobs.status(removed.id)).state is State.DONE
    assert await jobs.enqueue(welcome, "b") == (removed.id, False)


async def test_many_who_enqueue_a_unique_job_at_once_get_one(jobs: Jobs, contract_database: Database) -> None:
    enqueued = await asyncio.gather(*(jobs.enqueue(once, "a", note=str(number)) for number in range(10)))
    assert sum(one.is_new for one in enqueued) == 1
    assert len({one.id for one in enqueued}) == len(await rows_of(contract_database, "background_jobs")) == 1


async def test_a_priority_is_worth_a_minute_of_waiting(
    jobs: Jobs, worker: Worker, script: Script, clock: ManualClock
) -> None:
    await jobs.enqueue(send, "old")
    clock.forward(61)
    await jobs.enqueue(send, "new")
    await jobs.enqueue(send.options(priority=1), "urgent, but not so long")
    await jobs.enqueue(send.options(priority=2), "most urgent")
    # The queue runs one at a time, so that they are claimed in the order of their rank.
    assert await work_off(worker) == 4
    assert script.ran == ["most urgent", "old", "urgent, but not so long", "new"]


async def test_each_queue_has_its_own_room(jobs: Jobs, worker: Worker, script: Script) -> None:
    for label in ("m1", "m2", *(f"d{number}" for number in range(6))):
        script.blocks(label)
        await jobs.enqueue(send if label.startswith("m") else act, label)
    assert await worker.claim() == 5
    assert await worker.claim() == 0
    await asyncio.wait_for(asyncio.gather(*(script.entered[label].wait() for label in ("m1", "d0", "d3"))), 5)
    assert sorted(script.ran) == ["d0", "d1", "d2", "d3", "m1"]
    for label in ("m1", "m2", *(f"d{number}" for number in range(6))):
        script.released[label].set()
    await worker.until_idle()
    assert await work_off(worker) == 3


async def test_a_rate_holds_over_all_workers(
    jobs: Jobs, worker: Worker, other: Worker, script: Script, clock: ManualClock
) -> None:
    for number in range(5):
        await jobs.enqueue(call, str(number))
    await jobs.enqueue(act, "unlimited")
    assert sorted([await work_off(worker), await work_off(other)]) == [0, 3]
    clock.forward(59)
    assert await work_off(other) + await work_off(worker) == 0
    clock.forward(1)
    assert await work_off(other) + await work_off(worker) == 2
    clock.forward(60)
    assert await work_off(worker) == 1
    assert sorted(script.ran) == ["0", "1", "2", "3", "4", "unlimited"]


async def test_nothing_of_a_paused_queue_begins(jobs: Jobs, worker: Worker, script: Script) -> None:
    await jobs.enqueue(send, "mail")
    await jobs.enqueue(act, "other")
    assert [await jobs.pause("mail"), await jobs.pause("mail")] == [True, False]
    assert await jobs.paused() == ["mail"]
    await work_off(worker)
    assert script.ran == ["other"]
    assert [await jobs.resume("mail"), await jobs.resume("mail")] == [True, False]
    await work_off(worker)
    assert script.ran == ["other", "mail"]


async def test_a_delayed_job_waits_until_it_is_due(
    jobs: Jobs, worker: Worker, script: Script, clock: ManualClock
) -> None:
    await jobs.enqueue(act.options(delay=30), "later")
    await jobs.enqueue(act.options(at=BEGIN + timedelta(hours=1)), "much later")
    clock.forward(29.9)
    assert await work_off(worker) == 0
    clock.forward(0.1)
    assert await work_off(worker) == 1
    clock.forward(3570)
    assert await work_off(worker) == 1
    assert script.ran == ["later", "much later"]


async def test_one_of_many_workers_fires_each_tick(
    job_container: JobContainer, script: Script, clock: ManualClock
) -> None:
    workers = [another_worker(job_container) for _ in range(4)]
    await asyncio.gather(*(worker.fire() for worker in workers))
    for _ in range(3):
        clock.forward(600)
        await asyncio.gather(*(worker.fire() for worker in workers))
        await asyncio.gather(*(worker.fire() for worker in workers))
        await asyncio.gather(*map(work_off, workers))
    assert script.ran == ["tick 12:10", "tick 12:20", "tick 12:30"]


async def test_a_worker_whose_clock_is_behind_fires_no_tick_again(
    job_container: JobContainer, script: Script, clock: ManualClock
) -> None:
    first, second = another_worker(job_container), another_worker(job_container)
    await first.fire()
    clock.forward(600)
    await first.fire()
    clock.forward(-3)
    await second.fire()
    clock.forward(3)
    await second.fire()
    await work_off(first)
    assert script.ran == ["tick 12:10"]


async def test_ticks_that_nobody_was_there_for_fire_once(
    job_container: JobContainer, script: Script, clock: ManualClock
) -> None:
    await another_worker(job_container).fire()
    clock.forward(3 * 3600 + 60)
    worker = another_worker(job_container)
    await worker.fire()
    assert await work_off(worker) == 1
    assert script.ran == ["tick 15:00"]


async def test_a_worker_that_stops_gives_back_what_does_not_end_in_time(
    jobs: Jobs, worker: Worker, other: Worker, script: Script
) -> None:
    script.blocks("short")
    script.blocks("long")
    short, long = (await jobs.enqueue(act, "short")).id, (await jobs.enqueue(act, "long")).id
    await worker.claim()
    await asyncio.gather(*(script.entered[label].wait() for label in ("short", "long")))
    worker.take_no_more()
    await jobs.enqueue(act, "new")
    assert await worker.claim() == 0
    stopping = asyncio.create_task(worker.return_all())
    script.released["short"].set()
    await stopping
    assert (await jobs.status(short)).state is State.DONE
    found = await jobs.status(long)
    assert (found.state, found.attempt, found.due_at) == (State.WAITING, 0, BEGIN)
    script.does.clear()
    # Another worker has it at once.
    assert await work_off(other) == 2
    assert (await jobs.status(long)).attempt == 1


async def test_a_worker_wakes_when_something_is_enqueued(
    jobs: Jobs, job_container: JobContainer, script: Script
) -> None:
    done = asyncio.Event()
    script.does["a"] = lambda _run: done.set()
    worker = job_container.job_worker()
    async with worker.working():
        await asyncio.sleep(0.05)
        await jobs.enqueue(act, "a")
        # The next poll would come after a second.
        await asyncio.wait_for(done.wait(), 0.9)


async def test_a_worker_finds_by_itself_what_nobody_has_told_it_of(jobs: Jobs, other: Worker, script: Script) -> None:
    done = asyncio.Event()
    script.does["a"] = lambda _run: done.set()
    async with other.working():
        await asyncio.sleep(0.05)
        await jobs.enqueue(act, "a")
        await asyncio.wait_for(done.wait(), 5)


async def test_what_ended_long_ago_is_removed(
    jobs: Jobs, job_container: JobContainer, script: Script, clock: ManualClock, contract_database: Database
) -> None:
    worker, sweeper = job_container.job_worker(), job_container.sweeper()
    script.raises("bad", SystemExit())
    labels = [*(f"good{number}" for number in range(3)), "bad"]
    for label in labels:
        await jobs.enqueue(act, label)
    for _ in range(4):
        await work_off(worker)
        clock.forward(30)
    left = [row["state"] for row in await rows_of(contract_database, "background_jobs")]
    assert left == [State.DONE] * 3 + [State.DEAD]
    await sweeper.sweep()
    assert len(await rows_of(contract_database, "background_jobs")) == 4
    clock.forward(24 * 3600)
    await sweeper.sweep()
    left = [row["state"] for row in await rows_of(contract_database, "background_jobs")]
    assert left == [State.DEAD]
    clock.forward(30 * 24 * 3600)
    await sweeper.sweep()
    assert await rows_of(contract_database, "background_jobs") == []


async def test_depth_and_oldest_age_of_each_queue_are_counted(
    jobs: Jobs, job_container: JobContainer, worker: Worker, script: Script, clock: ManualClock
) -> None:
    script.blocks("running")
    await jobs.enqueue(act, "running")
    await worker.claim()
    await script.entered["running"].wait()
    await jobs.enqueue(act.options(delay=3600), "later")
    await jobs.enqueue(act, "due")
    clock.forward(5)
    await jobs.enqueue(send, "due")
    await worker.count()
    assert job_container.job_metrics().running == 1
    assert job_container.job_metrics().queues == await jobs.counts()
    assert await jobs.counts() == [("default", 1, 1, 1, BEGIN), ("mail", 1, 0, 0, BEGIN + timedelta(seconds=5))]
    await jobs.cancel((await jobs.enqueue(send, "cancelled")).id)
    by_kind = await job_container.database().read(job_container.job_dao().counts_by_kind)
    assert by_kind == [
        ("act", State.RUNNING, 1),
        ("act", State.WAITING, 2),
        ("send", State.CANCELLED, 1),
        ("send", State.WAITING, 1),
    ]
    script.released["running"].set()
    await worker.until_idle()


async def test_progress_is_seen_while_a_job_runs(
    jobs: Jobs, job_container: JobContainer, worker: Worker, script: Script
) -> None:
    async def report(run: object) -> None:
        await script.runs[0].progress(0.25, "1 of 4")
        await script.runs[0].progress(0.5, "too soon to be written")
        script.entered["a"].set()
        await script.released["a"].wait()

    script.does["a"] = report
    job_id = (await jobs.enqueue(act, "a")).id
    changes = job_container.job_signals().changes(job_id)
    await anext(changes)
    await worker.claim()
    await anext(changes)
    await script.entered["a"].wait()
    found = await jobs.status(job_id)
    assert (found.progress, found.progress_text) == (0.25, "1 of 4")
    script.released["a"].set()
    await worker.until_idle()


@pytest.mark.parametrize(
    ("expression", "ticks"),
    [
        # On 2026-03-29 two o'clock becomes three, on 2026-10-25 three o'clock becomes two.
        ("30 2 * * *", ["2026-03-28T01:30", "2026-03-29T01:00", "2026-03-30T00:30"]),
        ("0 4 * * *", ["2026-03-28T03:00", "2026-03-29T02:00", "2026-03-30T02:00"]),
    ],
)
def test_a_schedule_keeps_to_the_clock_of_its_zone_in_spring(expression: str, ticks: list[str]) -> None:
    found = Cron(expression, "Europe/Berlin").ticks(datetime(2026, 3, 27, 12, tzinfo=UTC))
    assert [f"{next(found):%Y-%m-%dT%H:%M}" for _ in ticks] == ticks


def test_a_schedule_fires_once_in_the_hour_that_comes_twice() -> None:
    found = Cron("30 2 * * *", "Europe/Berlin").ticks(datetime(2026, 10, 24, 12, tzinfo=UTC))
    assert [f"{next(found):%Y-%m-%dT%H:%M}" for _ in range(2)] == ["2026-10-25T00:30", "2026-10-26T01:30"]
    found = Cron("*/30 * * * *", "Europe/Berlin").ticks(datetime(2026, 10, 24, 23, 59, tzinfo=UTC))
    assert [f"{next(found):%H:%M}" for _ in range(5)] == ["00:00", "00:30", "01:00", "01:30", "02:00"]


@pytest.mark.parametrize(("missed", "hours"), [(Missed.ONCE, [15]), (Missed.SKIP, []), (Missed.ALL, [13, 14, 15])])
def test_missed_ticks_are_treated_as_stated(missed: Missed, hours: list[int]) -> None:
    cron, now = Cron("0 * * * *", missed=missed), BEGIN + timedelta(hours=3, minutes=10)
    ticks = cron.between(BEGIN, now)
    assert [tick.hour for tick in ticks] == [13, 14, 15]
    assert [tick.hour for tick in cron.firing(ticks, now)] == hours
    assert cron.firing(ticks[-1:], ticks[-1]) == ticks[-1:]


@pytest.mark.parametrize(
    ("expression", "zone", "message"),
    [
        ("61 * * * *", "UTC", "'61 \\* \\* \\* \\*' is no cron expression: Bad minute."),
        ("0 0 30 2 *", "UTC", "is no cron expression: Bad day-of-month"),
        ("* * * * *", "Europe/Atlantis", "'Europe/Atlantis' is no time zone"),
    ],
)
def test_a_schedule_that_never_comes_is_refused(expression: str, zone: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Cron(expression, zone)
