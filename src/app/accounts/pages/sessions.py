from flask import Response

from app.accounts.pages.own import own_pages
from app.accounts.provided import Sessions
from app.accounts.schemas.sessions import SessionQuery
from app.pages import actor, go_to
from carboy.forms import sent_query
from carboy.web.access import requires
from carboy.web.visits import flash, render_page

sessions = own_pages("account_sessions", __name__, "/sessions")


@sessions.get("")
@requires("me:read")
async def list_sessions(service: Sessions) -> Response:
    """Show the actor's sessions."""
    query = sent_query(SessionQuery)
    return await render_page("pages/account/sessions.html", page=await service.list_own(actor(), query), query=query)


@sessions.post("")
@requires("me:write")
async def end_other_sessions(service: Sessions) -> Response:
    """End all of the actor's sessions but this one."""
    await service.end_others(actor())
    await flash("Your other sessions are ended.")
    return go_to("account_sessions.list_sessions")


@sessions.post("/<int:session_id>/end")
@requires("me:write")
async def end_session(session_id: int, service: Sessions) -> Response:
    """End one of the actor's sessions."""
    await service.end_own(actor(), session_id)
    await flash("The session is ended.")
    return go_to("account_sessions.list_sessions")
