from flask import Response

from app.accounts.limits import EXPORTS
from app.accounts.pages.own import forget_session, own_pages, require_fresh
from app.accounts.provided import PersonalDataOf
from app.pages import actor, go_to
from carboy.errors import ConflictError
from carboy.web.access import requires
from carboy.web.flashes import FlashKind
from carboy.web.rate_limits import limited
from carboy.web.visits import flash, render_page

data = own_pages("account_data", __name__, "/data")


@data.get("")
@requires("me:read")
async def show_data() -> Response:
    """Show what people can do with all that is known of them."""
    return await render_page("pages/account/data.html")


@data.get("/export")
@requires("me:read")
@limited(EXPORTS)
async def export_data(service: PersonalDataOf) -> Response:
    """Send all that is known of the actor, as a file."""
    found = await service.export_own(actor())
    response = Response(found.model_dump_json(), mimetype="application/json")
    response.headers["Content-Disposition"] = 'attachment; filename="your-data.json"'
    return response


@data.get("/erase")
@requires("me:write")
async def show_erasure() -> Response:
    """Ask whether the account is to be erased."""
    require_fresh()
    return await render_page("pages/account/erase.html")


@data.post("/erase")
@requires("me:write")
async def erase(service: PersonalDataOf) -> Response:
    """Erase the actor, and have the browser forget what it kept."""
    try:
        await service.erase_own(actor())
    except ConflictError as error:
        await flash(str(error), FlashKind.ERROR)
        return go_to("account_data.show_data")
    forget_session()
    return await render_page("pages/account/erased.html")
