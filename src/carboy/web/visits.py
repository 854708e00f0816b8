"""What a view of a page does with the session of its browser: begin one, leave messages in it, and render a page."""

from dataclasses import replace
from http import HTTPStatus
from typing import Any

from flask import Response, after_this_request, render_template

from carboy.di.wiring import current_container
from carboy.web.access import credentials_of
from carboy.web.application import current_request
from carboy.web.flashes import Flash, FlashKind, add_flash, read_flashes
from carboy.web.pages import PageSession, PageSessions, csrf_token, page_session
from carboy.web.redirects import path_of
from carboy.web.sessions import SessionCookie


async def ensure_session() -> PageSession:
    """Return the session of the current request, and begin one for a browser that has none: forms belong to one."""
    request = current_request()
    session = page_session()
    if session is None:
        session, token = await _sessions().begin(credentials_of(request))
        request.page_session = session
        request.actor = session.actor
        give_cookie(token)
    return session


def give_cookie(token: str) -> None:
    """Give the answer of the current request the cookie of a session.

    Args:
        token: The session's opaque token, new at each login.
    """
    cookie: SessionCookie = current_container().session_cookie()

    @after_this_request
    def write(response: Response) -> Response:
        cookie.write(response, token)
        return response


async def flash(text: str, kind: FlashKind = FlashKind.SUCCESS) -> None:
    """Leave a message for the next page that this browser is shown.

    Args:
        text: A sentence of ours.
        kind: What kind of message it is.
    """
    session = await ensure_session()
    await _keep(session, add_flash(session.flashes, Flash(kind=kind, text=text)))


async def render_page(template: str, status: HTTPStatus = HTTPStatus.OK, **context: Any) -> Response:
    """Render a page: its template is also given who acts, the messages that wait, `csrf_token`, and ``here``, its path.

    Args:
        template: The template's name.
        status: The answer's status.
        **context: What else the template is given.
    """
    request = current_request()
    html = render_template(
        template,
        actor=request.actor,
        flashes=await _take_flashes(),
        csrf_token=csrf_token,
        here=path_of(request),
        **context,
    )
    return Response(html, status)


async def _take_flashes() -> list[Flash]:
    session = page_session()
    if session is None or session.flashes is None:
        return []
    await _keep(session, None)
    return read_flashes(session.flashes)


async def _keep(session: PageSession, flashes: str | None) -> None:
    await _sessions().keep_flashes(session, flashes)
    current_request().page_session = replace(session, flashes=flashes)


def _sessions() -> PageSessions:
    sessions: PageSessions = current_container().page_sessions()
    return sessions
