"""Blueprints of pages: who may see them, forms that no other site can send, and headers that keep a page to itself."""

from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Protocol

from dependency_injector.wiring import inject
from flask import Blueprint, Response, current_app, redirect, url_for
from werkzeug.wrappers import Response as BaseResponse

from carboy.di.checks import NEEDS, asks_for_injection
from carboy.di.wiring import current_container
from carboy.limits.schemas import By
from carboy.security.actor import ANONYMOUS, Actor, Credentials
from carboy.security.errors import UnauthenticatedError
from carboy.web import rate_limits
from carboy.web.access import Access, access_of, credentials_of
from carboy.web.application import Request, current_request
from carboy.web.csrf import SAFE_METHODS, check_form, origin_of, token_of
from carboy.web.redirects import target_of
from carboy.web.sessions import SessionCookie

POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; font-src 'self'; form-action 'self';"
    " base-uri 'none'; frame-ancestors 'none'"
)
"""Pages have no scripts; a blueprint whose pages have some says so (ASVS 5.0 3.4.3)."""
EVERYBODY_KNOWN = Access()
"""Who may see a page that does not say: every account, and no visitor."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PageSession:
    """The session of a browser, of which the application has a row, also of one that has not logged in.

    Attributes:
        actor: Who has logged in; `ANONYMOUS` before that.
        csrf_secret: The secret of its forms: `carboy.web.csrf.secret_of` its token.
        flashes: The messages that wait in its row, as `carboy.web.flashes` stores them.
        row: The row as the application knows it.
    """

    actor: Actor
    csrf_secret: str = field(repr=False)
    flashes: str | None = None
    row: Any = None


class PageSessions(Protocol):
    """Finds the sessions of pages. The application's policy: its rows, and when they end."""

    async def resume(self, credentials: Credentials) -> PageSession | None:
        """Return the session of a cookie; None if there is none, or it has ended."""

    async def begin(self, credentials: Credentials) -> tuple[PageSession, str]:
        """Begin the session of a browser that has none, and return it with the token for its cookie."""

    async def keep_flashes(self, session: PageSession, flashes: str | None) -> None:
        """Store the messages that the next page is to show; None once they were shown."""


NEEDED = {"page_sessions": PageSessions, "session_cookie": SessionCookie}
"""What a page asks the container for."""


class PageBlueprint(Blueprint):
    """A blueprint of pages. Before a view: its limits, its session, who may see it, and where its form comes from.

    The container gives a view what its markers ask for, without the decorator `inject`.

    Args:
        name: The blueprint's name.
        import_name: The module's ``__name__``.
        login: The endpoint of the page to log in at, which visitors are sent to; it takes ``next``.
        policy: The pages' Content-Security-Policy.
        **options: What `flask.Blueprint` takes.
    """

    def __init__(self, name: str, import_name: str, *, login: str, policy: str = POLICY, **options: Any) -> None:
        super().__init__(name, import_name, **options)
        self._login = login
        self._policy = policy
        self.before_request(_admit)
        self.after_request(self._protect)
        self.register_error_handler(UnauthenticatedError, self._send_to_login)

    def add_url_rule(
        self,
        rule: str,
        endpoint: str | None = None,
        view_func: Callable[..., Any] | None = None,
        *args: Any,
        **options: Any,
    ) -> None:
        if view_func is not None:
            view_func = inject(view_func) if asks_for_injection(view_func) else view_func
            needed = NEEDED | (rate_limits.NEEDED if rate_limits.limits_of(view_func) else {})
            setattr(view_func, NEEDS, needed)
        super().add_url_rule(rule, endpoint, view_func, *args, **options)

    def _protect(self, response: Response) -> Response:
        response.headers.setdefault("Content-Security-Policy", self._policy)
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    def _send_to_login(self, _error: UnauthenticatedError) -> BaseResponse:
        request = current_request()
        # What was sent in a form is lost; a page is where they wanted to go.
        target = target_of(request) if request.method in SAFE_METHODS else None
        return redirect(url_for(self._login, next=target), HTTPStatus.SEE_OTHER)


def page_session() -> PageSession | None:
    """Return the session of the current request; None if its browser has none."""
    session: PageSession | None = current_request().page_session
    return session


def csrf_token(session: PageSession | None = None) -> str:
    """Return a token for a form's hidden field ``csrf_token``.

    Args:
        session: The session, if the view has just made it; None for that of the request.

    Raises:
        RuntimeError: There is no session: a view with a form makes one first.
    """
    session = session or page_session()
    if session is None:
        raise RuntimeError("A form needs a session: make one before the page with the form is rendered.")
    return token_of(session.csrf_secret)


async def _admit() -> None:
    request = current_request()
    view = current_app.view_functions[str(request.endpoint)]
    limits = rate_limits.limits_of(view)
    await rate_limits.count([limit for limit in limits if limit.by is not By.ACCOUNT], request)
    session = await _resume(request)
    request.page_session = session
    request.actor = session.actor if session is not None else ANONYMOUS
    await rate_limits.count([limit for limit in limits if limit.by is By.ACCOUNT], request)
    (access_of(view) or EVERYBODY_KNOWN).check(request.actor, request.view_args or {})
    origin = origin_of(current_app.config.get("PUBLIC_URL") or request.host_url)
    check_form(request, session.csrf_secret if session is not None else None, origin)


async def _resume(request: Request) -> PageSession | None:
    container = current_container()
    cookie: SessionCookie = container.session_cookie()
    held = cookie.read(request)
    sessions: PageSessions = container.page_sessions()
    return None if held is None else await sessions.resume(credentials_of(request, cookie=held))
