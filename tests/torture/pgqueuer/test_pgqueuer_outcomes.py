"""PgQueuer's policies: unique keys, retries, dead letters, cancellation, priorities and limits."""

import asyncio
from datetime import timedelta

import pytest
from pgqueuer import JobId, Queries, RetryRequested
from pgqueuer.errors import DuplicateJobError
from pgqueuer.models import Context, Job
from support.pgqueuer import DRAINS, Script, not_met, queue, retrying, until, work_off, working


async def test_a_key_is_unique_until_its_job_has_ended(url: str, queries: Queries, script: Script) -> None:
    await queries.enqueue("act", b"a", dedupe_key="a")
    with pytest.raises(DuplicateJobError):
        await queries.enqueue("act", b"a", dedupe_key="a")
    await work_off(url, {"act": script.act})
    await queries.enqueue("act", b"a", dedupe_key="a")


@not_met("a key is held while its job is picked, and cannot be told to be free once it has started", DuplicateJobError)
async def test_a_key_can_be_free_once_its_job_has_started(url: str, queries: Queries, script: Script) -> None:
    await queries.enqueue("act", b"a", dedupe_key="a")
    async with queue(url, {"act": script.wait}) as made, working(made):
        await script.started[b"a"].wait()
        try:
            await queries.enqueue("act", b"b", dedupe_key="a")
        finally:
            for one in (b"a", b"b"):
                script.released[one].set()


@not_met("a key is one of all kinds together", DuplicateJobError)
async def test_a_key_is_one_of_its_kind(queries: Queries) -> None:
    await queries.enqueue("act", b"a", dedupe_key="a")
    await queries.enqueue("greet", b"a", dedupe_key="a")


async def test_the_id_is_the_same_in_each_attempt_and_attempts_have_an_end(
    url: str, queries: Queries, script: Script
) -> None:
    [job_id] = await queries.enqueue("act", b"a")
    await work_off(url, {"act": script.fail}, **retrying(2))
    assert [(job.id, job.attempts) for job in script.runs] == [(job_id, 0), (job_id, 1), (job_id, 2)]


async def delays(queries: Queries, job_id: JobId) -> list[str]:
    """Return by how much each retry of a job was put off."""
    records = [entry.traceback for entry in await queries.job_log_history(job_id)]
    return [str((one.additional_context or {})["retry_delay"]) for one in records if one and one.additional_context]


async def test_retries_come_later_and_later(url: str, queries: Queries, script: Script) -> None:
    [job_id] = await queries.enqueue("act", b"a")

    async def fail_thrice(job: Job) -> None:
        await script.act(job)
        if job.attempts < 3:
            raise ValueError

    await work_off(url, {"act": fail_thrice}, **retrying(5, timedelta(milliseconds=10)))
    assert await delays(queries, job_id) == ["0:00:00.010000", "0:00:00.020000", "0:00:00.040000"]


@not_met("delays have no jitter")
async def test_jobs_that_fail_together_are_not_retried_together(url: str, queries: Queries, script: Script) -> None:
    for number in range(10):
        await queries.enqueue("act", b"%d" % number)

    async def waiting() -> list[Job]:
        return [job for job in await queries.browse_queue(statuses=["queued"]) if job.attempts == 1]

    async def have_failed() -> bool:
        return len(await waiting()) == 10

    async with queue(url, {"act": script.fail}, **retrying(5, timedelta(minutes=1))) as made, working(made):
        await until(have_failed)
    assert len({job.execute_after - job.updated for job in await waiting()}) > 1


@not_met("a snooze counts as an attempt")
async def test_a_snooze_counts_as_no_attempt(url: str, queries: Queries, script: Script) -> None:
    async def snooze_twice_and_fail_once(job: Job) -> None:
        await script.act(job)
        if len(script.runs) <= 2:
            raise RetryRequested(reason="later")
        if len(script.runs) == 3:
            raise ValueError("the first failure")

    await queries.enqueue("act", b"a")
    await work_off(url, {"act": snooze_twice_and_fail_once}, **retrying(2))
    assert await queries.list_failed_jobs() == []


async def test_a_dead_letter_is_kept_with_its_error_retried_and_dropped(
    url: str, queries: Queries, script: Script
) -> None:
    [job_id] = await queries.enqueue("act", b"a")
    await work_off(url, {"act": script.fail}, on_failure="hold")
    assert [(job.id, job.payload) for job in await queries.list_failed_jobs()] == [(job_id, b"a")]
    last = (await queries.job_log_history(job_id))[-1]
    assert last.traceback is not None
    assert last.traceback.exception_message == "no luck"
    await queries.requeue_jobs([job_id])
    await work_off(url, {"act": script.fail}, on_failure="hold")
    assert len(script.runs) == 2
    await queries.mark_job_as_cancelled([job_id])
    assert await queries.queue_size() == []


async def test_a_job_is_cancelled_by_its_id_before_it_runs_and_while_it_does(
    url: str, queries: Queries, script: Script
) -> None:
    [waits] = await queries.enqueue("act", b"never")
    await queries.mark_job_as_cancelled([waits])
    [runs] = await queries.enqueue("act", b"a")

    async def act(job: Job, context: Context) -> None:
        with context.cancellation:
            await script.wait(job)

    async with queue(url, {}) as made:
        made.entrypoint("act")(act)
        async with working(made):
            await script.started[b"a"].wait()
            await queries.mark_job_as_cancelled([runs])
    assert script.ran == [b"a"]
    assert dict(await queries.job_status([waits, runs])) == {waits: "canceled", runs: "canceled"}


async def test_the_highest_priority_comes_first(url: str, queries: Queries, script: Script) -> None:
    for priority in (1, 3, 2):
        await queries.enqueue("act", b"%d" % priority, priority=priority)
    await work_off(url, {"act": script.act})
    assert script.ran == [b"3", b"2", b"1"]


@not_met("priorities do not age: where more urgent jobs never end, the others never begin")
async def test_what_has_waited_long_comes_before_what_is_a_little_more_urgent(
    url: str, queries: Queries, script: Script
) -> None:
    await queries.enqueue("act", b"old", priority=0)
    await queries.driver.execute("UPDATE pgqueuer SET created = now() - interval '30 days', execute_after = created")
    await queries.enqueue("act", b"new", priority=1)
    await work_off(url, {"act": script.act})
    assert script.ran == [b"old", b"new"]


async def test_a_kind_runs_no_more_at_once_than_its_limit_over_all_workers(
    url: str, queries: Queries, script: Script
) -> None:
    at_once, most = 0, 0

    async def count(job: Job) -> None:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        # Others that have been claimed begin now.
        await asyncio.sleep(0)
        at_once -= 1
        await script.act(job)

    for number in range(20):
        await queries.enqueue("act", b"%d" % number)
    limit = {"concurrency_limit": 2}
    async with queue(url, {"act": count}, **limit) as one, queue(url, {"act": count}, **limit) as other:
        await asyncio.gather(one.run(**DRAINS), other.run(**DRAINS))
    assert len(script.runs) == 20
    assert most <= 2
