"""Links of mails: their token moves from the address into a cookie at once.

An address stands in the browser's history, and on a screen that others see. No row keeps the token either: of what is
stored, none lets anybody in.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import wraps
from typing import Any

from flask import Response, after_this_request, url_for

from app.accounts.errors import InvalidOneTimeTokenError
from app.pages import go
from carboy.di.wiring import current_container
from carboy.web.application import current_request
from carboy.web.pages import PageBlueprint
from carboy.web.sessions import SessionCookie
from carboy.web.visits import render_page

View = Callable[..., Awaitable[Response]]
MAX_TOKEN = 200
"""Characters of a token that are kept: more than one has."""
KEPT = timedelta(hours=1)
"""How long a browser keeps a link; opening it again begins anew."""


def takes_link(view: View) -> View:
    """Let a page be opened by the link of a mail: its ``token`` is kept, and the address shown without it."""

    @wraps(view)
    async def keep_or_show(**arguments: Any) -> Response:
        token = current_request().args.get("token")
        if token is None:
            return await view(**arguments)
        response = go(url_for(str(current_request().endpoint)))
        # A browser drops what is too long for a cookie.
        _cookie().write(response, token[:MAX_TOKEN], lifetime=KEPT)
        return response

    return keep_or_show


def find_link() -> str | None:
    """Return the token of the link by which the current page was opened; None if it was opened without one."""
    return _cookie().read(current_request())


def link() -> str:
    """Return the token of the link by which the current page was opened.

    Raises:
        InvalidOneTimeTokenError: It was opened without one, or too long ago.
    """
    token = find_link()
    if token is None:
        raise InvalidOneTimeTokenError
    return token


def forget_link() -> None:
    """Take the link's cookie away with the answer of the current request: it was used, or is worth nothing."""
    cookie = _cookie()

    @after_this_request
    def delete(response: Response) -> Response:
        cookie.take_away(response)
        return response


def explain_links(blueprint: PageBlueprint, *, leads_to: str, label: str) -> None:
    """Show a page for links that are not valid, which leads to where one gets another.

    Args:
        blueprint: The blueprint of pages that take links.
        leads_to: The endpoint of the page to go to.
        label: What its button says.
    """

    @blueprint.errorhandler(InvalidOneTimeTokenError)
    async def show_invalid_link(error: InvalidOneTimeTokenError) -> Response:
        forget_link()
        return await render_page(
            "pages/invalid_link.html", error.status, problem=str(error), address=url_for(leads_to), label=label
        )


def _cookie() -> SessionCookie:
    """Return the cookie of the current page's link: that of one page is worth nothing to another."""
    sessions: SessionCookie = current_container().session_cookie()
    page = current_request().path.strip("/").replace("/", "-")
    return SessionCookie(is_secure=sessions.is_secure, purpose=f"link-{page}")
