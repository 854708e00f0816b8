"""Counts what is limited, and refuses what is too much."""

import logging
import math
import time
from collections.abc import Sequence
from contextvars import ContextVar
from functools import lru_cache
from ipaddress import IPv6Address, ip_address

from limits import RateLimitItem, parse
from limits.aio.storage import Storage
from limits.aio.strategies import FixedWindowRateLimiter

from carboy.limits.errors import LimitsUnavailableError, RateLimitedError
from carboy.limits.schemas import Limit, Standing

_log = logging.getLogger(__name__)

NETWORK_BITS = 64
"""Of an IPv6 address, what is not the client's own to choose (RFC 4291 section 2.5.1)."""

STRICT_AT_ONCE = 40
"""Hits of strict limits that a process counts at once: as many as passwords may wait. A flood of more would have all
other routes wait for the database behind it."""

_is_admitted: ContextVar[bool] = ContextVar("carboy_limits_is_admitted", default=False)
"""Whether the current request has been counted once: what it has cost by then would be wasted if it were refused."""


class RateLimiter:
    """Counts by the `limits` library's fixed windows.

    Args:
        strict: Where strict limits are counted: a storage that all workers share.
        ordinary: Where the others are.
        rates: Rates that replace those of the code, each as ``name=rate``.
        is_enabled: Whether anything is counted.

    Raises:
        ValueError: A rate is malformed.
    """

    def __init__(
        self, strict: Storage, ordinary: Storage, rates: Sequence[str] = (), *, is_enabled: bool = True
    ) -> None:
        self._strict = FixedWindowRateLimiter(strict)
        self._ordinary = FixedWindowRateLimiter(ordinary)
        self._rates = dict(parse_rate(rate) for rate in rates)
        self._item = lru_cache(self._item_of)
        self._is_enabled = is_enabled
        self._counting = 0

    async def hit(self, limit: Limit, *key: str) -> Standing | None:
        """Count one more, and return where the client stands; None if nothing is counted.

        Call it before a transaction begins and before what it guards is done.

        Args:
            limit: Which limit.
            key: Whose count it is, such as an account's name and an address. Unknown names count like known ones.

        Raises:
            RateLimitedError: It is too much.
            LimitsUnavailableError: A strict limit cannot be counted, or too many are counted at once.
        """
        if not self._is_enabled:
            return None
        if not limit.is_strict:
            return await self._hit(self._ordinary, limit, *key)
        if self._counting >= STRICT_AT_ONCE and not _is_admitted.get():
            raise LimitsUnavailableError
        _is_admitted.set(True)
        self._counting += 1
        try:
            return await self._hit(self._strict, limit, *key)
        finally:
            self._counting -= 1

    async def _hit(self, limiter: FixedWindowRateLimiter, limit: Limit, *key: str) -> Standing | None:
        item = self._item(limit)
        try:
            is_within = await limiter.hit(item, limit.name, *key)
            stats = await limiter.get_window_stats(item, limit.name, *key)
        except RuntimeError:
            # A mistake of the code that calls, which must not pass for a database that is away.
            raise
        except Exception as error:
            if limit.is_strict:
                raise LimitsUnavailableError from error
            _log.warning("limit %s is not counted: %r", limit.name, error)
            return None
        standing = Standing(
            name=limit.name,
            amount=item.amount,
            window=item.get_expiry(),
            remaining=stats.remaining,
            seconds=max(1, math.ceil(stats.reset_time - time.time())),
        )
        if not is_within:
            _log.warning("limit %s is exceeded", limit.name)
            raise RateLimitedError(standing.seconds, standing.headers)
        return standing

    async def forgive(self, limit: Limit, *key: str) -> None:
        """Forget what was counted, as after a password was reset by its owner."""
        limiter = self._strict if limit.is_strict else self._ordinary
        await limiter.clear(self._item(limit), limit.name, *key)

    def _item_of(self, limit: Limit) -> RateLimitItem:
        return parse(self._rates.get(limit.name, limit.rate))


def parse_rate(text: str) -> tuple[str, str]:
    """Read a rate as it is configured: ``login_by_address=50/5 minutes``.

    Raises:
        ValueError: It is malformed.
    """
    name, _, rate = text.partition("=")
    parse(rate)
    return name.strip(), rate.strip()


def network_of(address: str | None) -> str:
    """Return what a client's requests are counted by: its IPv4 address, or its IPv6 network."""
    try:
        parsed = ip_address(address or "")
    except ValueError:
        # Such as the name of a socket.
        return address or "unknown"
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(IPv6Address(int(parsed) >> NETWORK_BITS << NETWORK_BITS))
    return str(parsed)
