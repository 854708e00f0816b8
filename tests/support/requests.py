"""Requests to the users API, and what is expected of the answers."""

import time
from collections.abc import Awaitable

import httpx


async def timed(asking: Awaitable[httpx.Response]) -> tuple[httpx.Response, float]:
    """Return an answer, and the seconds that it took."""
    began = time.perf_counter()
    answer = await asking
    return answer, time.perf_counter() - began


async def assert_unavailable(
    asking: Awaitable[httpx.Response], code: str = "database_unavailable", within: float = 1.5
) -> float:
    """Check that a request is told at once to try again later, and return the seconds that it took."""
    answer, seconds = await timed(asking)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == code
    assert seconds < within
    return seconds
