from typing import Annotated

from dependency_injector.wiring import Provide
from flask import Response

from app.accounts.pages.own import own_pages
from app.audit.schemas import OwnEventQuery
from app.audit.services import AuditService
from app.pages import actor
from carboy.forms import sent_query
from carboy.web.access import requires
from carboy.web.visits import render_page

events = own_pages("account_events", __name__, "/events")


@events.get("")
@requires("me:read")
async def list_events(service: Annotated[AuditService, Provide["audit_service"]]) -> Response:
    """Show what was done to the actor's account, the newest first."""
    query = sent_query(OwnEventQuery)
    return await render_page("pages/account/events.html", page=await service.list_own(actor(), query), query=query)
