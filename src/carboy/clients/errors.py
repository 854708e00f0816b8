"""What can go wrong with an API that this application calls, as its own clients see it."""

from http import HTTPStatus
from math import ceil

from carboy.errors import CarboyError


class UpstreamError(CarboyError):
    """The API gave an answer that is of no use: an error of its own, a broken or an overlong one.

    Args:
        status: The status that it answered with, if it did.
        is_transient: Whether the same request may succeed in a moment.
        retry_after: Seconds after which it wants to be asked again.
    """

    status = HTTPStatus.BAD_GATEWAY
    code = "upstream_error"
    message = "A service that this one depends on gave an unexpected answer."

    def __init__(
        self, *, status: int | None = None, is_transient: bool = False, retry_after: float | None = None
    ) -> None:
        super().__init__()
        self.upstream_status = status
        self.is_transient = is_transient
        if retry_after is not None:
            self.retry_after = ceil(retry_after)


class UpstreamUnavailableError(UpstreamError):
    """The API cannot be reached, or says that it cannot serve now."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "upstream_unavailable"
    message = "A service that this one depends on is not available. Try again in a moment."


class UpstreamTimeoutError(UpstreamError):
    """The API did not answer in time."""

    status = HTTPStatus.GATEWAY_TIMEOUT
    code = "upstream_timeout"
    message = "A service that this one depends on did not answer in time. Try again in a moment."


UPSTREAM_ERRORS: tuple[type[UpstreamError], ...] = (UpstreamError, UpstreamUnavailableError, UpstreamTimeoutError)
"""For the ``errors`` of a view that calls an API."""
