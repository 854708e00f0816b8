"""What Carboy is meant to reach, job by job."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

JOB_NAMES = ("static", "one", "list", "update", "create", "me")


def ratios(result: dict[str, Any], peer: str) -> list[float]:
    """Return Carboy's CPU time over the contender's, within each round."""
    theirs = result["cpu"].get(peer, [])
    return [our / their for our, their in zip(result["cpu"]["carboy"], theirs, strict=True)] if theirs else []


def share_of_limit(result: dict[str, Any]) -> list[float]:
    """Return the CPU time of the raw application over Carboy's, within each round."""
    return [1 / ratio for ratio in ratios(result, "raw")]


def crowd_ratios(result: dict[str, Any]) -> list[float]:
    """Return Carboy's throughput over that of Flask's own way, with many connections, within each round."""
    ours, theirs = result["crowd"].get("carboy", []), result["crowd"].get("flask", [])
    return [our / their for our, their in zip(ours, theirs, strict=True)] if theirs else []


@dataclass(frozen=True)
class Target:
    """A figure and what it is meant to be.

    Attributes:
        title: What is compared with what.
        values: Returns the figure from a job's result, for each round.
        wanted: By job; a job without one is reported only.
        at_most: Whether less is better.
        form: How the figure is written.
    """

    title: str
    values: Callable[[dict[str, Any]], list[float]]
    wanted: Mapping[str, float]
    at_most: bool = True
    form: str = ".2f"


def _over(peer: str, title: str, *wanted: float | None) -> Target:
    by_job = {job: value for job, value in zip(JOB_NAMES, wanted, strict=True) if value is not None}
    return Target(f"CPU over {title}'s", lambda result: ratios(result, peer), by_job)


_COMMON = [
    _over("starlette", "Starlette", None, 0.80, 0.75, 0.85, 0.85, None),
    _over("litestar", "Litestar", None, 0.80, 0.75, 0.85, 0.85, None),
    _over("quart", "Quart", 0.80, 0.60, 0.60, 0.75, 0.75, None),
    Target(
        "throughput over Flask + WsgiToAsgi's",
        crowd_ratios,
        dict(zip(JOB_NAMES, (4, 4, 3, 3, 3), strict=False)),
        at_most=False,
        form=".1f",
    ),
    Target(
        "share of the limit",
        share_of_limit,
        dict(zip(JOB_NAMES, (0.60, 0.40, 0.40, 0.40, 0.40), strict=False)),
        at_most=False,
        form=".0%",
    ),
]
TARGETS = {
    "sqlite": [_over("fastapi", "FastAPI", 1.10, 0.50, 0.45, 0.65, 0.65, 0.55), *_COMMON],
    "postgresql": [_over("fastapi", "FastAPI", None, 0.70, 0.65, 0.80, 0.80, 0.55), *_COMMON],
}
