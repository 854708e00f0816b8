"""Who may use a route: each view says so in one line, and is asked before anything else of the request is read.

::

    @users.patch("/<int:user_id>")
    @requires("users:write", own="user_id")
    @inject
    async def update_user(user_id: UserId, change: UserUpdate, actor: Actor, service: Users) -> UserRead: ...
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from flask import Flask

from carboy.di.checks import NEEDS
from carboy.di.wiring import current_container
from carboy.security.actor import Actor, Authenticator, Credentials
from carboy.security.errors import UnauthenticatedError
from carboy.web.application import Request

ViewT = TypeVar("ViewT", bound=Callable[..., Any])
ATTRIBUTE = "__access__"
NEEDED = {"authenticator": Authenticator}
"""What `admit` asks the container for."""
MAX_AGENT = 255
"""Characters of User-Agent that are kept."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Access:
    """Who may use a route.

    Attributes:
        is_public: Whether everybody may.
        permission: What the actor must be permitted; None if any account will do.
        own: The argument of the URL that names whose it is, as `Actor.owns` knows it: its owner needs no permission.
    """

    is_public: bool = False
    permission: str | None = None
    own: str | None = None

    def check(self, actor: Actor, arguments: Mapping[str, Any]) -> None:
        """Refuse an actor that may not use the route.

        Raises:
            UnauthenticatedError: Nobody is known.
            ForbiddenError: The account or its token may not.
        """
        if self.is_public:
            return
        if actor.is_anonymous:
            raise UnauthenticatedError
        if self.permission is not None:
            is_own = self.own is not None and actor.owns(self.own, arguments[self.own])
            actor.require(self.permission, owner_id=actor.account_id if is_own else None)


def requires(permission: str | None = None, *, own: str | None = None) -> Callable[[ViewT], ViewT]:
    """Say that a view needs an account, and what it must be permitted. It stands below the route's decorator.

    Args:
        permission: Such as ``users:write``. None lets in every account.
        own: The argument of the URL that is an account's id, or another that the application's `Actor.owns` knows. The
            owner needs no permission, but the scopes of the token must include it.

    Raises:
        ValueError: ``own`` stands without a permission, which would mean nothing.
    """
    if own is not None and permission is None:
        raise ValueError("own= needs a permission for what is not the actor's own.")
    return lambda view: _mark(view, Access(permission=permission, own=own))


def public(view: ViewT) -> ViewT:
    """Say that everybody may use a view, without an account. A route that says nothing is an oversight."""
    return _mark(view, Access(is_public=True))


def access_of(view: Any) -> Access | None:
    found: Access | None = getattr(view, ATTRIBUTE, None)
    return found


def undeclared_routes(app: Flask) -> list[str]:
    """Return a line for each route that does not say who may use it, or that nobody asks: a test wants none.

    Files of a static folder are for everybody.
    """
    found = ((rule, app.view_functions.get(rule.endpoint)) for rule in app.url_map.iter_rules())
    lines = ((rule, _oversight(view)) for rule, view in found if rule.endpoint.rpartition(".")[2] != "static")
    return sorted(f"{rule.endpoint} ({rule.rule}): {line}" for rule, line in lines if line is not None)


def _oversight(view: Any) -> str | None:
    access, needs = access_of(view), getattr(view, NEEDS, {})
    if access is None:
        return "say @requires(...) or @public"
    if not access.is_public and not needs.keys() & {"authenticator", "page_sessions"}:
        return "@requires is checked on an ApiBlueprint or a PageBlueprint alone"
    return None


async def admit(access: Access, request: Request, arguments: Mapping[str, Any]) -> Actor:
    """Find out who acts, keep that as the request's actor, and refuse who may not use the route.

    Args:
        access: Who may.
        request: The request.
        arguments: Those of the URL.

    Raises:
        UnauthenticatedError: Nobody is known, and somebody must be.
        InvalidTokenError: What the request shows is not valid.
        ForbiddenError: The account or its token may not.
    """
    authenticator: Authenticator = current_container().authenticator()
    actor = await authenticator.authenticate(credentials_of(request))
    request.actor = actor
    access.check(actor, arguments)
    return actor


def credentials_of(request: Request, *, cookie: str | None = None) -> Credentials:
    """Return what a request shows of who sends it: the cookie of a page, or the token of a route of the API."""
    return Credentials(
        bearer=_bearer(request) if cookie is None else None,
        cookie=cookie,
        address=request.remote_addr,
        agent=request.environ.get("HTTP_USER_AGENT", "")[:MAX_AGENT] or None,
    )


def _bearer(request: Request) -> str | None:
    """Return the token of the header Authorization (RFC 6750 section 2.1): never of the body, nor of the query."""
    scheme, _, token = request.environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def _mark(view: ViewT, access: Access) -> ViewT:
    setattr(view, ATTRIBUTE, access)
    return view
