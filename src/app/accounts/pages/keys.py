from datetime import UTC, datetime, time

from flask import Response

from app.accounts.errors import ExcessiveScopesError, TooManyKeysError
from app.accounts.pages.own import own_pages, require_fresh
from app.accounts.provided import Keys
from app.accounts.schemas.common import Name, Scopes
from app.accounts.schemas.keys import ApiKeyCreate, ApiKeyQuery
from app.pages import actor, go_to
from carboy.forms import Form, render_form, sent_form, sent_query
from carboy.schemas import Date
from carboy.schemas.base import Input
from carboy.web.access import requires
from carboy.web.visits import flash, render_page

END_OF_DAY = time(23, 59, 59)

keys = own_pages("account_keys", __name__, "/keys")


class NewKey(Input):
    """The form of a key. Unlike in the API, what it may do is to be chosen."""

    name: Name
    scopes: Scopes
    expires_at: Date | None = None
    """The last day on which it can be used."""

    def to_create(self) -> ApiKeyCreate:
        end = None if self.expires_at is None else datetime.combine(self.expires_at, END_OF_DAY, UTC)
        return ApiKeyCreate(name=self.name, scopes=self.scopes, expires_at=end)


@keys.get("")
@requires("me:read")
async def list_keys(service: Keys) -> Response:
    """Show the actor's keys."""
    query = sent_query(ApiKeyQuery)
    return await render_page("pages/account/keys.html", page=await service.list_own(actor(), query), query=query)


@keys.get("/new")
@requires("me:write")
async def show_new_key() -> Response:
    """Show the form of a key."""
    require_fresh()
    return await _new_key(Form(NewKey))


@keys.post("/new")
@requires("me:write")
async def create_key(service: Keys) -> Response:
    """Make a key, and show it this once: no later page could."""
    form = sent_form(NewKey)
    with form.refusals(ExcessiveScopesError, TooManyKeysError):
        issued = await service.create_own(actor(), form.content.to_create())
        return await render_page("pages/account/key.html", issued=issued)
    return await _new_key(form)


async def _new_key(form: Form[NewKey]) -> Response:
    return await render_form("pages/account/new_key.html", form, choices=sorted(actor().effective))


@keys.post("/<int:key_id>/revoke")
@requires("me:write")
async def revoke_key(key_id: int, service: Keys) -> Response:
    """Revoke one of the actor's keys."""
    await service.revoke_own(actor(), key_id)
    await flash("The key is revoked.")
    return go_to("account_keys.list_keys")
