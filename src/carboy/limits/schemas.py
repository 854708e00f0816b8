from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from carboy.schemas.base import Record


class By(StrEnum):
    """What requests are counted by."""

    ADDRESS = "address"
    """The client's address; of an IPv6 one its network of 64 bits, in which a client may choose freely."""
    ACCOUNT = "account"
    """The account that acts, or the address where nobody is known."""
    ALL = "all"
    """All requests together."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Limit:
    """How often something may be done.

    Attributes:
        name: What it is called in headers, logs and the configuration, such as ``login_by_address``.
        rate: Such as ``10/5 minutes``: a window begins with its first request, and ends after that time.
        by: What is counted by, where a view declares it; code that counts gives a key of its own.
        is_strict: Whether it guards against guessing. Then it is counted in the database, which all workers share and
            which outlives a restart, and nothing passes while that cannot be reached. Another is counted in memory, or
            in Redis, and everything passes meanwhile.
    """

    name: str
    rate: str
    by: By = By.ADDRESS
    is_strict: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """Where a client stands with a limit.

    Attributes:
        name: The limit's.
        amount: How often it may be done in a window.
        window: The window in seconds.
        remaining: How often it may still be done.
        seconds: When the window ends, from now on.
    """

    name: str
    amount: int
    window: int
    remaining: int
    seconds: int

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers of draft-ietf-httpapi-ratelimit-headers-10, sections 3 and 4."""
        return {
            "RateLimit-Policy": f'"{self.name}";q={self.amount};w={self.window}',
            "RateLimit": f'"{self.name}";r={self.remaining};t={self.seconds}',
        }


class CountRead(Record):
    count: int
    expires_at: datetime
