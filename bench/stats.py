"""The statistics of a benchmark: medians with their uncertainty."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

RESAMPLES = 2000


@dataclass(frozen=True)
class Estimate:
    """A median and the interval that holds 95 % of the medians of resampled rounds (bootstrap percentiles)."""

    median: float
    low: float
    high: float


def estimate(values: Sequence[float]) -> Estimate:
    chance = random.Random(0)  # noqa: S311 - the same values must give the same interval.
    medians = sorted(median(chance.choices(values, k=len(values))) for _ in range(RESAMPLES))
    return Estimate(median(values), medians[int(RESAMPLES * 0.025)], medians[int(RESAMPLES * 0.975)])


def percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]
