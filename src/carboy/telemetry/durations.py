"""Histograms of durations that are measured in every request."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate
from threading import Lock

from prometheus_client.metrics_core import HistogramMetricFamily, Metric
from prometheus_client.utils import floatToGoString


class Durations:
    """Counts durations in buckets. Any thread may add some.

    A bucket is found by bisection, and under one lock all is counted that an observation changes. The histogram of
    prometheus_client looks at each bucket and takes two locks, which costs three times as much.

    Args:
        buckets: The upper bounds of the buckets in seconds, rising.
    """

    def __init__(self, buckets: Sequence[float]) -> None:
        self._buckets = buckets
        self._counts = [0] * (len(buckets) + 1)
        self._seconds = 0.0
        self._lock = Lock()

    def add(self, seconds: float) -> None:
        bucket = bisect_left(self._buckets, seconds)
        with self._lock:
            self._counts[bucket] += 1
            self._seconds += seconds

    def samples(self) -> tuple[list[tuple[str, float]], float]:
        """Return the name of each bucket with how many durations were no longer, and the sum of all in seconds."""
        with self._lock:
            counts, seconds = self._counts.copy(), self._seconds
        names = [*map(floatToGoString, self._buckets), "+Inf"]
        return list(zip(names, accumulate(counts), strict=True)), seconds


class LabelledDurations:
    """A histogram of durations for each set of labels, as a collector of prometheus_client's.

    Args:
        name: The metric's.
        documentation: What it tells.
        labels: The names of its labels.
        buckets: As those of `Durations`.
    """

    def __init__(self, name: str, documentation: str, labels: Sequence[str], buckets: Sequence[float]) -> None:
        self._name, self._documentation, self._labels, self._buckets = name, documentation, labels, buckets
        self._by_labels: dict[tuple[str, ...], Durations] = {}

    def of(self, *labels: str) -> Durations:
        """Return the histogram of these labels, which is worth keeping where it is used often."""
        return self._by_labels.setdefault(labels, Durations(self._buckets))

    def collect(self) -> Iterator[Metric]:
        metric = HistogramMetricFamily(self._name, self._documentation, labels=self._labels)
        # Requests go on meanwhile, and may bring labels of their own.
        for labels, durations in self._by_labels.copy().items():
            metric.add_metric(labels, *durations.samples())
        yield metric
