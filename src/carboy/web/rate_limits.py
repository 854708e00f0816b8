"""How often a route may be used: one declaration for a view.

::

    @sessions.post("/login", errors=[...])
    @public
    @limited(Limit(name="login_by_address", rate="30/5 minutes", is_strict=True))
    @inject
    async def log_in(...): ...
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from flask import Response, after_this_request

from carboy.di.wiring import current_container
from carboy.limits.schemas import By, Limit, Standing
from carboy.limits.services import RateLimiter, network_of
from carboy.web.application import Request

ViewT = TypeVar("ViewT", bound=Callable[..., Any])
ATTRIBUTE = "__limits__"
NEEDED = {"rate_limiter": RateLimiter}
"""What `count` asks the container for."""


def limited(*limits: Limit) -> Callable[[ViewT], ViewT]:
    """Limit how often a view may be used. It stands below the route's decorator."""

    def mark(view: ViewT) -> ViewT:
        setattr(view, ATTRIBUTE, limits)
        return view

    return mark


def limits_of(view: Any) -> tuple[Limit, ...]:
    found: tuple[Limit, ...] = getattr(view, ATTRIBUTE, ())
    return found


async def count(limits: Sequence[Limit], request: Request) -> None:
    """Count a request, and tell in its answer where the client stands.

    Those by account count after it is known who acts, the others before.

    Raises:
        RateLimitedError: It is too much.
        LimitsUnavailableError: A strict limit cannot be counted.
    """
    if not limits:
        return
    limiter: RateLimiter = current_container().rate_limiter()
    for limit in limits:
        standing = await limiter.hit(limit, *_key_of(limit, request))
        if standing is not None:
            after_this_request(_telling(standing))


def _key_of(limit: Limit, request: Request) -> tuple[str, ...]:
    if limit.by is By.ALL:
        return ()
    account = request.actor.account_id if request.actor is not None else None
    if limit.by is By.ACCOUNT and account is not None:
        return ("account", str(account))
    return ("address", network_of(request.remote_addr))


def _telling(standing: Standing) -> Callable[[Response], Response]:
    def add(response: Response) -> Response:
        for name, value in standing.headers.items():
            response.headers.add(name, value)
        return response

    return add
