"""Jobs are enqueued with their transaction, and run at least once: never twice while their worker lives."""

import pytest
from support.databases import rows_of
from support.jobs import JobContainer, Script, act, another_worker, work_off

from carboy.db import Database
from carboy.jobs import Jobs, State
from carboy.jobs.worker import Worker
from carboy.testing import ManualClock

LEASE, HEARTBEAT = 60.0, 15.0


async def rescued(worker: Worker, clock: ManualClock) -> int:
    """Let a worker look for leases that nobody prolongs, for long enough to know."""
    await worker.rescue()
    clock.forward(2 * HEARTBEAT)
    return await worker.rescue()


async def test_a_transaction_that_is_rolled_back_leaves_no_job(
    jobs: Jobs, worker: Worker, script: Script, contract_database: Database
) -> None:
    async def fail() -> None:
        await jobs.enqueue(act, "never")
        raise KeyError

    with pytest.raises(KeyError):
        await contract_database.write(fail)
    assert await rows_of(contract_database, "background_jobs") == []
    assert await work_off(worker) == 0


async def test_a_job_begins_after_its_transaction_has_committed(
    jobs: Jobs, other: Worker, script: Script, contract_database: Database
) -> None:
    async def enqueue() -> None:
        # The first statement of the transaction.
        await jobs.enqueue(act, "first")
        assert contract_database.is_writing

    await contract_database.write(enqueue)
    assert await work_off(other) == 1
    assert script.ran == ["first"]


async def test_an_enqueue_outside_a_transaction_has_one_of_its_own(jobs: Jobs, worker: Worker, script: Script) -> None:
    enqueued = await jobs.enqueue(act, label="alone")
    assert enqueued.is_new
    assert await work_off(worker) == 1
    assert (await jobs.status(enqueued.id)).state is State.DONE
    assert await work_off(worker) == 0


async def test_the_job_of_a_lost_worker_is_rescued_on_an_idle_queue(
    jobs: Jobs, worker: Worker, other: Worker, script: Script, clock: ManualClock
) -> None:
    script.blocks("a")
    enqueued = await jobs.enqueue(act, "a")
    # The first worker claims it and is never heard of again.
    assert await worker.claim() == 1
    await script.entered["a"].wait()
    clock.forward(LEASE - 1)
    assert await rescued(other, clock) == 1
    script.does.clear()
    script.released["a"].set()
    await other.until_idle()
    found = await jobs.status(enqueued.id)
    assert (found.state, found.attempt, found.lapses) == (State.DONE, 2, 1)


async def test_a_job_of_any_length_runs_once_while_its_worker_lives(
    jobs: Jobs, worker: Worker, other: Worker, script: Script, clock: ManualClock
) -> None:
    script.blocks("long")
    await jobs.enqueue(act, "long")
    await worker.claim()
    await script.entered["long"].wait()
    for _ in range(40):
        clock.forward(HEARTBEAT)
        await worker.beat()
        await worker.drop_lapsed()
        assert await other.claim() + await other.rescue() == 0
    script.released["long"].set()
    await worker.until_idle()
    assert (script.ran, script.cancelled) == (["long"], [])


async def test_a_worker_whose_lease_has_lapsed_is_cancelled_and_cannot_complete(
    jobs: Jobs, worker: Worker, other: Worker, script: Script, clock: ManualClock
) -> None:
    script.blocks("a")
    enqueued = await jobs.enqueue(act, "a")
    await worker.claim()
    await script.entered["a"].wait()
    clock.forward(LEASE + 1)
    script.entered["a"].clear()
    assert await rescued(other, clock) == 1
    await script.entered["a"].wait()
    # The first one hears of it at its next heartbeat, or by itself without a database.
    await worker.beat()
    await worker.until_idle()
    assert script.cancelled == ["a"]
    assert (await jobs.status(enqueued.id)).state is State.RUNNING
    script.released["a"].set()
    await other.until_idle()
    found = await jobs.status(enqueued.id)
    assert (found.state, found.attempt) == (State.DONE, 2)


async def test_a_late_result_of_a_lost_worker_changes_nothing(
    jobs: Jobs, job_container: JobContainer, other: Worker, script: Script, clock: ManualClock
) -> None:
    worker: Worker = job_container.job_worker()
    script.blocks("a")
    enqueued = await jobs.enqueue(act, "a")
    await worker.claim()
    await script.entered["a"].wait()
    clock.forward(LEASE + 1)
    script.raises("a", ValueError("the second run"))
    assert await rescued(other, clock) == 1
    await other.until_idle()
    # It ends well, before it hears that it has lost the lease.
    script.released["a"].set()
    await worker.until_idle()
    found = await jobs.status(enqueued.id)
    assert (found.state, found.last_error) == (State.WAITING, "ValueError: the second run")
    assert job_container.job_metrics().outcomes["act", "lost"] == 1


async def test_a_worker_without_its_database_ends_what_it_may_have_lost(
    jobs: Jobs, worker: Worker, script: Script, clock: ManualClock
) -> None:
    script.blocks("a")
    await jobs.enqueue(act, "a")
    await worker.claim()
    await script.entered["a"].wait()
    clock.forward(LEASE - 1)
    await worker.drop_lapsed()
    assert script.cancelled == []
    clock.forward(2)
    await worker.drop_lapsed()
    await worker.until_idle()
    assert script.cancelled == ["a"]


async def test_the_idempotency_key_is_the_same_in_each_run(
    jobs: Jobs, worker: Worker, script: Script, clock: ManualClock
) -> None:
    script.raises("a", ValueError())
    first = await jobs.enqueue(act, "a")
    await work_off(worker)
    clock.forward(3600)
    await work_off(worker)
    second = await jobs.enqueue(act, "a")
    keys = [run.idempotency_key for run in script.runs]
    assert len(keys) == 2
    assert {*keys} == {(await jobs.status(first.id)).idempotency_key}
    assert (await jobs.status(second.id)).idempotency_key not in keys


async def test_a_job_whose_runs_lose_their_workers_becomes_a_dead_letter(
    jobs: Jobs, job_container: JobContainer, script: Script, clock: ManualClock
) -> None:
    script.blocks("poison")
    enqueued = await jobs.enqueue(act, "poison")
    await job_container.job_worker().claim()
    for _ in range(3):
        clock.forward(LEASE)
        survivor = another_worker(job_container)
        assert await rescued(survivor, clock) == 1
    await survivor.until_idle()
    found = await jobs.status(enqueued.id)
    assert (found.state, found.lapses) == (State.DEAD, 3)
    assert found.last_error == "Its worker was lost 3 times, in the last attempt too."
