"""Durations wait for each other on their way into histograms; none is lost."""

import threading

from prometheus_client import Histogram

from carboy.telemetry.observations import TOGETHER, Observations


def new_histogram() -> Histogram:
    return Histogram("seconds", "Of a test.", registry=None)


def count_of(histogram: Histogram) -> float:
    [metric] = histogram.collect()
    return next(sample.value for sample in metric.samples if sample.name == "seconds_count")


def test_histograms_have_all_when_there_are_many_and_when_somebody_asks() -> None:
    observations, histogram = Observations(), new_histogram()
    for _ in range(TOGETHER - 1):
        observations.add(histogram, 0.1)
    assert count_of(histogram) == 0
    observations.add(histogram, 0.1)
    assert count_of(histogram) == TOGETHER
    observations.add(histogram, 0.1)
    observations.flush()
    assert count_of(histogram) == TOGETHER + 1


def test_none_is_lost_between_threads() -> None:
    observations, histogram = Observations(), new_histogram()

    def add() -> None:
        for _ in range(2000):
            observations.add(histogram, 0.1)

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    observations.flush()
    assert count_of(histogram) == 8000
