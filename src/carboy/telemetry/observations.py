"""Puts durations into histograms, many at a time."""

from collections import deque
from contextlib import suppress

from prometheus_client import Histogram

TOGETHER = 128


class Observations:
    """Durations on their way into histograms.

    Between the code of a request a histogram's own is in no cache of the processor, which takes longer than its work:
    many observations in a row cost half of as many by themselves. Any thread may add some.
    """

    def __init__(self) -> None:
        self._waiting: deque[tuple[Histogram, float]] = deque()

    def add(self, child: Histogram, seconds: float) -> None:
        self._waiting.append((child, seconds))
        if len(self._waiting) >= TOGETHER:
            self.flush()

    def flush(self) -> None:
        """Let the histograms have all; call it before somebody looks at them."""
        with suppress(IndexError):
            while True:
                child, seconds = self._waiting.popleft()
                child.observe(seconds)
