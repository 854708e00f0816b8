from collections.abc import Mapping
from http import HTTPStatus

from carboy.errors import CarboyError, UnavailableError


class RateLimitedError(CarboyError):
    status = HTTPStatus.TOO_MANY_REQUESTS
    code = "rate_limited"
    message = "Too many requests. Try again when Retry-After has passed."
    retry_after = 60

    def __init__(self, seconds: int, headers: Mapping[str, str]) -> None:
        super().__init__()
        self._headers = {"Retry-After": str(seconds), **headers}

    @property
    def headers(self) -> Mapping[str, str]:
        """When to try again, and which limit it was (draft-ietf-httpapi-ratelimit-headers-10)."""
        return self._headers


class LimitsUnavailableError(UnavailableError):
    code = "limits_unavailable"
    message = "How often this was tried cannot be counted now. Try again in a moment."
