"""What Prometheus is told of jobs."""

from datetime import UTC, datetime, timedelta

from prometheus_client import CollectorRegistry

from carboy.jobs.collector import JobCollector
from carboy.jobs.metrics import JobMetrics
from carboy.jobs.schemas import QueueCount

NOW = datetime(2026, 11, 27, tzinfo=UTC)


def test_depth_age_outcomes_and_durations_of_jobs_are_series() -> None:
    metrics = JobMetrics(running=2)
    metrics.queues = [QueueCount("default", due=3, later=1, running=2, oldest_due_at=NOW - timedelta(seconds=90))]
    metrics.queues.append(QueueCount("mail", due=0, later=0, running=0, oldest_due_at=None))
    for seconds, outcome in ((0.5, "done"), (2.0, "done"), (700.0, "dead")):
        metrics.ended("users.send_welcome", outcome, seconds)
    registry = CollectorRegistry()
    registry.register(JobCollector(metrics, lambda: NOW))

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(name, labels)

    assert value("carboy_jobs", queue="default", state="due") == 3
    assert value("carboy_jobs", queue="default", state="running") == 2
    assert value("carboy_jobs_running") == 2
    assert value("carboy_job_oldest_due_seconds", queue="default") == 90
    assert value("carboy_job_oldest_due_seconds", queue="mail") == 0
    kind = {"kind": "users.send_welcome"}
    assert value("carboy_job_runs_total", **kind, outcome="done") == 2
    assert value("carboy_job_runs_total", **kind, outcome="dead") == 1
    buckets = {bound: value("carboy_job_duration_seconds_bucket", **kind, le=bound) for bound in ("0.1", "1.0", "+Inf")}
    assert buckets == {"0.1": 0, "1.0": 1, "+Inf": 3}
    assert value("carboy_job_duration_seconds_sum", **kind) == 702.5
