"""Whether two things can be told apart by how long they take."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence


def auc(one: Sequence[float], other: Sequence[float]) -> float:
    """Return how often a time of the one is longer than one of the other: 0.5 if they cannot be told apart.

    It is the area under the curve of whoever classifies by a threshold, whichever that is.
    """
    ordered = sorted(other)
    longer = sum(bisect_left(ordered, time) + bisect_right(ordered, time) for time in one)
    return longer / (2 * len(one) * len(other))
