"""Durations are shown as prometheus_client's own histogram shows them; none is lost."""

import threading

from prometheus_client import CollectorRegistry, Histogram, disable_created_metrics, generate_latest

from carboy.telemetry.durations import Durations, LabelledDurations

BUCKETS = (0.001, 0.25, 1, 10)
SECONDS = (0.0, 0.0009, 0.001, 0.0011, 0.5, 1, 3.25, 10, 11, 1000.0)


def test_prometheus_is_told_what_the_librarys_histogram_tells() -> None:
    disable_created_metrics()  # type: ignore[no-untyped-call]
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    durations = LabelledDurations("seconds", "Of a test.", ["method", "route"], BUCKETS)
    histogram = Histogram("seconds", "Of a test.", ["method", "route"], buckets=BUCKETS, registry=theirs)
    ours.register(durations)
    for labels in (("GET", "/"), ("POST", '/a"b\\c\n')):
        for seconds in SECONDS:
            durations.of(*labels).add(seconds)
            histogram.labels(*labels).observe(seconds)
    assert generate_latest(ours) == generate_latest(theirs)


def test_none_is_lost_between_threads() -> None:
    durations = Durations(BUCKETS)

    def add() -> None:
        for _ in range(2000):
            durations.add(0.5)

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert durations.samples() == ([("0.001", 0), ("0.25", 0), ("1.0", 8000), ("10.0", 8000), ("+Inf", 8000)], 4000.0)
