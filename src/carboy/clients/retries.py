"""Which calls are made again, and when."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import httpx2
import stamina

from carboy.clients.errors import UpstreamError
from carboy.config.settings import ClientSettings

IDEMPOTENT_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})
"""What may be sent again when no answer came (RFC 9110 section 9.2.2)."""

TRANSIENT_STATUSES = frozenset(
    {
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.INTERNAL_SERVER_ERROR,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)
"""Errors of a server that may be over in a moment."""

FIRST_WAIT = 0.1
"""Seconds before the second attempt; they double with each further one."""
LONGEST_WAIT = 1.0


def attempts(settings: ClientSettings, deadline: float, *, may_repeat: bool) -> AsyncIterator[stamina.Attempt]:
    """Yield attempts at a call: more than one if it may be repeated, and fails as something may that is over soon.

    Between them it waits as long as the API has asked for by ``Retry-After``, otherwise with exponential backoff and
    jitter. It does not wait beyond the deadline, nor longer than `clients.retry_after_max` for what is asked.

    Args:
        settings: How many attempts there are.
        deadline: Until when, by the event loop's clock.
        may_repeat: Whether it does no harm if the call is done twice.
    """
    longest = min(LONGEST_WAIT, settings.total_timeout / 4)
    context = stamina.retry_context(
        on=_hook(settings.retry_after_max, longest, deadline),
        attempts=settings.attempts if may_repeat else 1,
        timeout=None,
        wait_initial=FIRST_WAIT,
        wait_max=longest,
        wait_jitter=FIRST_WAIT,
    )
    return aiter(context)


def _hook(cap: float, longest: float, deadline: float) -> Callable[[Exception], bool | float]:
    def wait_for(error: Exception) -> bool | float:
        if not isinstance(error, UpstreamError) or not error.is_transient:
            return False
        left = deadline - asyncio.get_running_loop().time()
        if error.retry_after is None:
            return longest < left
        return float(error.retry_after) if error.retry_after <= min(cap, left) else False

    return wait_for


def retry_after_of(headers: httpx2.Headers) -> float | None:
    """Return the seconds of a ``Retry-After``, a number or a date (RFC 9110 section 10.2.3); None if there is none."""
    value = headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max((moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds(), 0)
