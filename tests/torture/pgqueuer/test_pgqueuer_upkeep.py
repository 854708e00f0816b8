"""What PgQueuer has for operators and tests: metrics, traces, history, retention; and the options it has at all."""

import inspect
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from pgqueuer import JobId, PgQueuer, Queries
from pgqueuer.adapters.tracing.opentelemetry import OpenTelemetryTracing
from pgqueuer.metrics.prometheus import collect_metrics
from pgqueuer.models import Job, Log
from support.pgqueuer import DRAINS, SOON, Script, not_met, queue, until, work_off, working

KNOWN = {
    Queries.enqueue: "entrypoint payload priority execute_after dedupe_key headers on_conflict",
    PgQueuer.entrypoint: "name concurrency_limit accepts_context on_failure executor_factory",
    PgQueuer.schedule: "entrypoint expression executor_factory clean_old accepts_context",
    PgQueuer.run: "dequeue_timeout batch_size mode max_concurrent_tasks shutdown_on_listener_failure heartbeat_timeout"
    " log_aggregation_interval",
}
"""None is for a queue, a rate, a deadline, a time zone, the states of a key, the version of a payload or retention."""


@pytest.mark.parametrize(("function", "names"), KNOWN.items(), ids=lambda one: getattr(one, "__name__", ""))
def test_no_option_is_new(function: Callable[..., Any], names: str) -> None:
    found = [name for name in inspect.signature(function).parameters if name != "self"]
    assert found == names.split(), "PgQueuer's options have changed. Revisit docs/adr/0019-jobs.md."


async def test_depth_age_outcomes_and_durations_are_metrics(url: str, queries: Queries, script: Script) -> None:
    await queries.enqueue("gone", b"a")
    await queries.enqueue("act", b"a")
    await work_off(url, {"act": script.act})
    lines = (await collect_metrics(queries)).splitlines()
    assert 'pgqueuer_queue_count{aggregation="sum",entrypoint="gone",status="queued"} 1' in lines
    assert 'pgqueuer_logs_count{aggregation="sum",entrypoint="act",status="successful"} 1' in lines
    [age] = await queries.queue_age()
    assert (age.entrypoint, age.queued_count) == ("gone", 1)
    assert age.oldest_age_seconds > 0
    [durations] = await queries.job_duration_percentiles(timedelta(hours=1))
    assert (durations.entrypoint, durations.completed) == ("act", 1)


async def test_a_job_belongs_to_the_trace_of_its_request_and_has_its_headers(url: str, queries: Queries) -> None:
    tracer = TracerProvider().get_tracer("tests")
    queries.tracer = OpenTelemetryTracing(tracer)
    seen: list[tuple[int, object]] = []

    async def act(job: Job) -> None:
        seen.append((trace.get_current_span().get_span_context().trace_id, (job.headers or {})["request"]))

    with tracer.start_as_current_span("request") as span:
        await queries.enqueue("act", b"a", headers={"request": "0123"})
    async with queue(url, {"act": act}) as made:
        made.qm.tracer = queries.tracer
        await made.run(**DRAINS)
    assert seen == [(span.get_span_context().trace_id, "0123")]


async def done(url: str, queries: Queries, script: Script) -> JobId:
    """Return a job that has ended well."""
    [job_id] = await queries.enqueue("act", b"a")
    await work_off(url, {"act": script.act})
    return job_id


async def test_a_job_that_has_ended_has_a_history(url: str, queries: Queries, script: Script) -> None:
    job_id = await done(url, queries, script)
    assert [entry.status for entry in await queries.job_log_history(job_id)] == ["queued", "picked", "successful"]


@not_met("the payload of a job that has ended is gone")
async def test_a_job_that_has_ended_can_be_looked_at(url: str, queries: Queries, script: Script) -> None:
    found = await queries.queue_job_by_id(await done(url, queries, script))
    assert found is not None
    assert found.payload == b"a"


@not_met("nothing is deleted by its age")
async def test_the_log_forgets_what_is_old(url: str, queries: Queries, script: Script) -> None:
    await done(url, queries, script)
    await queries.driver.execute("UPDATE pgqueuer_log SET created = now() - interval '10 years'")

    async def old() -> list[Log]:
        return [entry for entry in await queries.queue_log() if entry.created.year < 2020]

    async def is_kept_up() -> bool:
        return all(entry.aggregated for entry in await old())

    async with queue(url, {"act": script.act}) as made, working(made, log_aggregation_interval=SOON):
        await queries.enqueue("act", b"b")
        await until(is_kept_up)
    assert await old() == []


async def test_jobs_are_worked_off_in_memory(script: Script) -> None:
    made = PgQueuer.in_memory()
    made.entrypoint("act")(script.act)
    await made.qm.queries.enqueue("act", b"a")
    await made.qm.run(**DRAINS)
    assert script.ran == [b"a"]
