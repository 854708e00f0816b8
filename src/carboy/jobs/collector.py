"""Tells Prometheus what workers count."""

from collections.abc import Callable, Iterator
from datetime import datetime

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from carboy.jobs.metrics import BOUNDS, JobMetrics


class JobCollector:
    """Makes series of the numbers of jobs.

    The depth of queues is what this process's worker saw when it looked last: every worker tells of all queues, so
    that dashboards take the maximum, not the sum.
    """

    def __init__(self, metrics: JobMetrics, clock: Callable[[], datetime]) -> None:
        self._metrics, self._clock = metrics, clock

    def collect(self) -> Iterator[Metric]:
        yield from self._of_queues()
        runs = CounterMetricFamily("carboy_job_runs", "Runs of jobs that ended.", labels=["kind", "outcome"])
        for (kind, outcome), count in [*self._metrics.outcomes.items()]:
            runs.add_metric([kind, outcome], count)
        durations = HistogramMetricFamily("carboy_job_duration_seconds", "How long jobs ran.", labels=["kind"])
        for kind, measured in [*self._metrics.durations.items()]:
            counts = [sum(measured.buckets[: number + 1]) for number in range(len(measured.buckets))]
            bounds = [*map(str, BOUNDS), "+Inf"]
            durations.add_metric([kind], [*zip(bounds, counts, strict=True)], measured.total)
        yield from (runs, durations)
        yield GaugeMetricFamily("carboy_jobs_running", "Jobs that this process runs.", self._metrics.running)

    def _of_queues(self) -> Iterator[Metric]:
        depth = GaugeMetricFamily("carboy_jobs", "Jobs of a queue.", labels=["queue", "state"])
        age = GaugeMetricFamily("carboy_job_oldest_due_seconds", "How long the oldest job is due.", labels=["queue"])
        for queue in self._metrics.queues:
            for state in ("due", "later", "running"):
                depth.add_metric([queue.queue, state], getattr(queue, state))
            since = queue.oldest_due_at
            late = 0.0 if since is None else max((self._clock() - since).total_seconds(), 0.0)
            age.add_metric([queue.queue], late)
        yield from (depth, age)
