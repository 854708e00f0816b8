"""What workers count, as plain numbers."""

from collections import Counter
from dataclasses import dataclass, field

from carboy.jobs.schemas import QueueCount

BOUNDS = (0.01, 0.1, 1.0, 10.0, 60.0, 600.0)
"""Seconds: the upper bounds of the buckets of durations; the last bucket has none."""


@dataclass
class Durations:
    """A histogram of the seconds that runs took."""

    count: int = 0
    total: float = 0.0
    buckets: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    """How many took at most as long as each of `BOUNDS` and longer than the one before; in the last, the others."""

    def add(self, seconds: float) -> None:
        self.count += 1
        self.total += seconds
        self.buckets[sum(seconds > bound for bound in BOUNDS)] += 1


@dataclass
class JobMetrics:
    """The numbers of this process since its start, and of all queues as they were looked at last.

    Attributes:
        outcomes: By kind and outcome, how many runs: ``done``, ``retried``, ``delayed``, ``dead``, ``cancelled``,
            ``returned`` or ``lost``.
        durations: By kind, how long handlers ran.
        queues: Depth and oldest age of each queue, as the workers' last sweep saw them.
        running: How many jobs this process runs at the moment.
    """

    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    durations: dict[str, Durations] = field(default_factory=dict)
    queues: list[QueueCount] = field(default_factory=list)
    running: int = 0

    def ended(self, kind: str, outcome: str, seconds: float) -> None:
        self.outcomes[kind, outcome] += 1
        self.durations.setdefault(kind, Durations()).add(seconds)
