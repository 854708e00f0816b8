"""What becomes of a job: retries, dead letters, deadlines, cancellation."""

import logging
from datetime import timedelta

import pytest
from sqlalchemy import text
from support.databases import rows_of
from support.jobs import (
    BEGIN,
    JobContainer,
    RefusedError,
    Script,
    act,
    expire,
    greet,
    hurry,
    send,
    work_off,
)

from carboy.db import Database
from carboy.errors import DatabaseBusyError
from carboy.jobs import GiveUp, Jobs, Snooze, State
from carboy.jobs.errors import JobNotFoundError, JobStateError
from carboy.jobs.policies import Backoff
from carboy.jobs.worker import Worker
from carboy.testing import ManualClock


async def test_a_failed_job_is_retried_later_and_later_and_then_is_a_dead_letter(
    jobs: Jobs, worker: Worker, script: Script, clock: ManualClock
) -> None:
    script.raises("a", ValueError("no luck"))
    job_id = (await jobs.enqueue(act, "a")).id
    for attempt, longest in ((1, 10), (2, 20)):
        assert await work_off(worker) == 1
        found = await jobs.status(job_id)
        assert (found.state, found.attempt) == (State.WAITING, attempt)
        assert clock.now <= found.due_at <= clock.now + timedelta(seconds=longest)
        clock.forward(longest)
    assert await work_off(worker) == 1
    found = await jobs.status(job_id)
    assert (found.state, found.attempt, found.ended_at) == (State.DEAD, 3, clock.now)
    assert [entry["error"] for entry in found.history] == ["ValueError: no luck"] * 3
    assert [entry["attempt"] for entry in found.history] == [1, 2, 3]
    assert {entry["worker"] for entry in found.history} == {worker.name}
    clock.forward(86400)
    assert await work_off(worker) == 0


def test_delays_double_up_to_a_limit_and_are_spread_by_chance() -> None:
    backoff = Backoff(2, 60)
    for attempt, longest in ((1, 2), (2, 4), (5, 32), (6, 60), (5000, 60)):
        delays = [backoff.delay(attempt) for _ in range(300)]
        assert 0 <= min(delays) < longest / 10
        assert longest * 0.9 < max(delays) <= longest


@pytest.mark.parametrize("error", [Snooze(90), DatabaseBusyError()])
async def test_a_snooze_and_a_retry_after_count_as_no_attempt(
    jobs: Jobs, worker: Worker, script: Script, clock: ManualClock, error: Exception
) -> None:
    script.raises("a", error)
    job_id = (await jobs.enqueue(act, "a")).id
    for _ in range(5):
        assert await work_off(worker) == 1
        found = await jobs.status(job_id)
        assert (found.state, found.attempt) == (State.WAITING, 0)
        seconds = getattr(error, "retry_after", 0)
        assert found.due_at == clock.now + timedelta(seconds=seconds)
        clock.forward(seconds)


@pytest.mark.parametrize("error", [RefusedError("550 no such user"), GiveUp("the account is gone")])
async def test_a_named_error_is_not_retried(jobs: Jobs, worker: Worker, script: Script, error: Exception) -> None:
    script.raises("a", error)
    job_id = (await jobs.enqueue(send, "a")).id
    await work_off(worker)
    found = await jobs.status(job_id)
    assert (found.state, found.attempt) == (State.DEAD, 1)
    assert found.last_error == f"{type(error).__name__}: {error}"


async def test_a_dead_letter_is_retried_with_all_its_attempts(
    jobs: Jobs, worker: Worker, script: Script, clock: ManualClock
) -> None:
    script.raises("a", RefusedError())
    job_id = (await jobs.enqueue(send, "a")).id
    await work_off(worker)
    clock.forward(3600)
    assert (await jobs.retry(job_id)).state is State.WAITING
    script.does.clear()
    assert await work_off(worker) == 1
    found = await jobs.status(job_id)
    assert (found.state, found.attempt, len(found.history)) == (State.DONE, 1, 1)
    with pytest.raises(JobStateError, match=f"Job {job_id} is done and cannot be retried."):
        await jobs.retry(job_id)


async def test_a_dead_letter_is_listed_and_dropped(jobs: Jobs, worker: Worker, script: Script) -> None:
    script.raises("a", RefusedError())
    dead = (await jobs.enqueue(send, "a")).id
    waiting = (await jobs.enqueue(act.options(delay=60), "b")).id
    await work_off(worker)
    assert [one.id for one in await jobs.newest(states=[], kind=None, limit=9)] == [waiting, dead]
    assert [one.id for one in await jobs.newest(states=[State.DEAD], kind=None, limit=9)] == [dead]
    assert [one.id for one in await jobs.newest(states=[State.DEAD], kind="act", limit=9)] == []
    await jobs.drop(dead)
    with pytest.raises(JobNotFoundError):
        await jobs.status(dead)


async def test_a_handler_that_is_too_slow_has_failed(jobs: Jobs, worker: Worker, script: Script) -> None:
    script.blocks("a")
    job_id = (await jobs.enqueue(hurry, "a")).id
    await work_off(worker)
    found = await jobs.status(job_id)
    assert (found.state, found.last_error, script.cancelled) == (State.DEAD, "TimeoutError: ", ["a"])


async def test_a_job_is_given_up_at_its_deadline(
    jobs: Jobs, worker: Worker, script: Script, clock: ManualClock
) -> None:
    script.raises("a", Snooze(59))
    early, late = (await jobs.enqueue(expire, "a")).id, (await jobs.enqueue(expire.options(delay=100), "b")).id
    assert await work_off(worker) == 1
    clock.forward(61)
    assert await work_off(worker) == 1
    assert script.ran == ["a"]
    found = await jobs.status(early)
    assert (found.state, found.last_error) == (State.DEAD, "Its deadline has passed.")
    clock.forward(39)
    assert await work_off(worker) == 1
    assert (await jobs.status(late)).state is State.DONE


async def test_a_waiting_job_is_cancelled_at_once(jobs: Jobs, worker: Worker, script: Script) -> None:
    job_id = (await jobs.enqueue(act, "a")).id
    assert (await jobs.cancel(job_id)).state is State.CANCELLED
    assert await work_off(worker) == 0
    with pytest.raises(JobStateError, match="cancelled and cannot be cancelled"):
        await jobs.cancel(job_id)
    with pytest.raises(JobNotFoundError):
        await jobs.cancel(job_id + 1)


async def test_a_running_job_is_cancelled_by_its_worker(jobs: Jobs, worker: Worker, script: Script) -> None:
    script.blocks("a")
    job_id = (await jobs.enqueue(act, "a")).id
    await worker.claim()
    await script.entered["a"].wait()
    with pytest.raises(JobStateError, match="running and cannot be dropped"):
        await jobs.drop(job_id)
    assert (await jobs.cancel(job_id)).is_cancel_requested
    await worker.beat()
    await worker.until_idle()
    found = await jobs.status(job_id)
    assert (found.state, script.cancelled) == (State.CANCELLED, ["a"])
    await jobs.retry(job_id)
    script.does.clear()
    await work_off(worker)
    assert (await jobs.status(job_id)).state is State.DONE


async def test_an_unknown_kind_waits_for_a_release_that_knows_it_and_then_is_a_dead_letter(
    jobs: Jobs, worker: Worker, script: Script, clock: ManualClock, contract_database: Database
) -> None:
    job_id = (await jobs.enqueue(act, "a")).id
    await change(contract_database, "kind = 'gone'")
    assert await work_off(worker) == 1
    found = await jobs.status(job_id)
    assert (found.state, found.attempt, found.last_error) == (State.WAITING, 0, "This release has no job gone.")
    for _ in range(4):
        clock.forward(30)
        assert await work_off(worker) == 1
    found = await jobs.status(job_id)
    # A reason that stays the same stands in the history once, and at the end.
    assert (found.state, len(found.history)) == (State.DEAD, 2)


@pytest.mark.parametrize("payload", ['{"other": 1}', '{"label": null}', "[]", "null", "not JSON"])
async def test_a_payload_that_cannot_be_read_is_a_dead_letter(
    jobs: Jobs, worker: Worker, script: Script, contract_database: Database, payload: str
) -> None:
    job_id = (await jobs.enqueue(act, "a")).id
    await change(contract_database, "payload = :value", value=payload)
    assert await work_off(worker) == 1
    found = await jobs.status(job_id)
    assert (found.state, found.attempt) == (State.DEAD, 1)
    assert (found.last_error or "").startswith("UnreadableError: Its payload cannot be read: ")


async def test_an_older_payload_is_upgraded_and_a_newer_one_waits(
    jobs: Jobs, worker: Worker, script: Script, clock: ManualClock, contract_database: Database
) -> None:
    job_id = (await jobs.enqueue(greet, "Ada")).id
    await change(contract_database, """payload_version = 1, payload = '{"name": "Ada"}'""")
    await work_off(worker)
    assert script.ran == ["Ada of version 1"]
    job_id = (await jobs.enqueue(greet, "Ada")).id
    await change(contract_database, "payload_version = 3", where=f"id = {job_id}")
    await work_off(worker)
    found = await jobs.status(job_id)
    assert (found.state, found.attempt) == (State.WAITING, 0)
    assert found.last_error == "The payload has version 3, and this release reads 2."


async def test_a_handler_that_exits_fails_and_the_worker_goes_on(jobs: Jobs, worker: Worker, script: Script) -> None:
    script.raises("a", SystemExit(1))
    job_id = (await jobs.enqueue(act, "a")).id
    await work_off(worker)
    assert (await jobs.status(job_id)).last_error == "RuntimeError: The handler raised SystemExit."


async def test_an_error_that_a_database_cannot_store_is_kept_spelt_out(
    jobs: Jobs, worker: Worker, script: Script, caplog: pytest.LogCaptureFixture
) -> None:
    script.raises("a", ValueError("a\0b\ud800" + "x" * 5000))
    job_id = (await jobs.enqueue(act, "a")).id
    # Processes that share the tests cannot tell each other what was logged of half a surrogate pair.
    with caplog.at_level(logging.CRITICAL + 1, "carboy.jobs"):
        await work_off(worker)
    error = (await jobs.status(job_id)).last_error or ""
    assert error.startswith("ValueError: a\\0b\\ud800x")
    assert len(error) < 1100


async def test_the_arguments_are_checked_when_a_job_is_enqueued(jobs: Jobs, contract_database: Database) -> None:
    with pytest.raises(TypeError, match="missing a required argument: 'label'"):
        await jobs.enqueue(act)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="unexpected keyword argument 'lable'"):
        await jobs.enqueue(act, "a", lable="b")  # type: ignore[call-arg]
    with pytest.raises(ValueError, match="label"):
        await jobs.enqueue(act, 7)  # type: ignore[arg-type]
    assert await rows_of(contract_database, "background_jobs") == []


async def test_history_tells_operators_when_a_job_ran_and_by_whom(
    jobs: Jobs, worker: Worker, script: Script, job_container: JobContainer
) -> None:
    job_id = (await jobs.enqueue(act, "a")).id
    script.blocks("a")
    await worker.claim()
    await script.entered["a"].wait()
    found = await jobs.status(job_id)
    assert (found.owner, found.started_at, found.lease_until) == (worker.name, BEGIN, BEGIN + timedelta(seconds=60))
    script.released["a"].set()
    await worker.until_idle()
    found = await jobs.status(job_id)
    assert (found.payload, found.ended_at, found.lease_until) == ('{"label":"a"}', BEGIN, None)
    metrics = job_container.job_metrics()
    assert metrics.outcomes == {("act", "done"): 1}
    assert metrics.durations["act"].count == sum(metrics.durations["act"].buckets) == 1


async def change(database: Database, values: str, where: str = "true", **parameters: str) -> None:
    """Change rows by hand, as another release or an accident would have written them."""
    statement = text(f"UPDATE background_jobs SET {values} WHERE {where}")  # noqa: S608 - it is the tests' own.
    await database.write(lambda: database.execute(statement, parameters, writes=True))
