import segno
from flask import Response

from app.accounts.errors import SecondFactorError, WrongCodeError
from app.accounts.limits import GUESSES_BY_ADDRESS
from app.accounts.pages.own import own_pages, require_fresh
from app.accounts.provided import Accounts, Factors
from app.accounts.schemas.me import TotpConfirmation
from app.accounts.services.factors import FactorService
from app.pages import actor, attempt, go_to
from carboy.forms import Form, render_form, sent_form
from carboy.web.access import requires
from carboy.web.flashes import FlashKind
from carboy.web.rate_limits import limited
from carboy.web.visits import flash, render_page

second_factor = own_pages("account_second_factor", __name__, "/second-factor")
STATE = "account_second_factor.show_second_factor"


@second_factor.get("")
@requires("me:write")
async def show_second_factor(service: Accounts) -> Response:
    """Show whether the second factor is on, and what can be done about it."""
    require_fresh()
    return await render_page("pages/account/second_factor.html", me=await service.get_me(actor()))


@second_factor.post("")
@requires("me:write")
async def prepare(service: Factors) -> Response:
    """Make a seed for an authenticator app."""
    try:
        await service.prepare(actor())
    except SecondFactorError as error:
        return await _refuse(error)
    return go_to("account_second_factor.show_set_up")


@second_factor.get("/set-up")
@requires("me:write")
async def show_set_up(service: Factors) -> Response:
    """Show what an authenticator app needs, and ask for its first code."""
    return await _set_up(Form(TotpConfirmation), service)


@second_factor.post("/set-up")
@requires("me:write")
@limited(GUESSES_BY_ADDRESS)
async def enable(service: Factors) -> Response:
    """Turn the second factor on, and show its recovery codes this once."""
    form = sent_form(TotpConfirmation)
    with form.refusals(code=WrongCodeError):
        try:
            made = await service.confirm(actor(), form.content.code)
        except SecondFactorError as error:
            return await _refuse(error)
        return await render_page("pages/account/recovery_codes.html", codes=made.codes, is_new=True)
    return await _set_up(form, service)


async def _set_up(form: Form[TotpConfirmation], service: FactorService) -> Response:
    prepared = await service.find_prepared(actor())
    if prepared is None:
        return go_to(STATE)
    picture = segno.make(prepared.uri, micro=False).svg_data_uri(scale=5, border=4, light="#fff")
    return await render_form("pages/account/set_up.html", form, prepared=prepared, picture=picture)


@second_factor.get("/recovery-codes")
@requires("me:write")
async def show_new_codes() -> Response:
    """Ask whether new recovery codes are wanted."""
    require_fresh()
    return await render_page("pages/account/new_codes.html")


@second_factor.post("/recovery-codes")
@requires("me:write")
async def make_codes(service: Factors) -> Response:
    """Make new recovery codes, and show them this once."""
    try:
        made = await service.make_codes(actor())
    except SecondFactorError as error:
        return await _refuse(error)
    return await render_page("pages/account/recovery_codes.html", codes=made.codes, is_new=False)


@second_factor.get("/off")
@requires("me:write")
async def show_turning_off() -> Response:
    """Ask whether the second factor is to be turned off."""
    require_fresh()
    return await render_page("pages/account/turn_off.html")


@second_factor.post("/off")
@requires("me:write")
async def disable(service: Factors) -> Response:
    """Turn the second factor off; the other sessions end."""
    done = "The second factor is off, and your other sessions are ended."
    await attempt(service.disable(actor()), done, SecondFactorError)
    return go_to(STATE)


async def _refuse(error: SecondFactorError) -> Response:
    await flash(str(error), FlashKind.ERROR)
    return go_to(STATE)
