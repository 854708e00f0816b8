"""One's own account: the overview, the profile, the email address, and the confirmation of a login."""

from flask import Response

from app.accounts.errors import WrongCodeError, WrongCredentialsError
from app.accounts.limits import GUESSES_BY_ADDRESS
from app.accounts.pages.own import keep_session, own_pages, require_fresh
from app.accounts.provided import Accounts, Emails, Logins
from app.accounts.schemas.auth import Confirmation
from app.accounts.schemas.me import EmailChange, MeRead, MeUpdate
from app.accounts.services.accounts import AccountService
from app.accounts.services.sessions import Way
from app.pages import actor, go, go_to, wanted
from app.users.errors import UsernameTakenError
from app.users.schemas import FullName, Username
from carboy.forms import Form, render_form, sent_form
from carboy.schemas.base import Input
from carboy.web.access import requires
from carboy.web.application import current_request
from carboy.web.rate_limits import limited
from carboy.web.visits import flash

account = own_pages("account", __name__)


class Profile(Input):
    """The form of a profile: unlike in a change of the API, what is left empty is cleared."""

    username: Username
    full_name: FullName | None = None


@account.get("")
@requires("me:read")
async def show_overview(service: Accounts) -> Response:
    """Show the actor's account."""
    me = await service.get_me(actor())
    return await _overview(Form(Profile, {"username": me.name, "full_name": me.full_name or ""}), me)


@account.post("")
@requires("me:write")
async def change_profile(service: Accounts) -> Response:
    """Take the form of the profile."""
    form = sent_form(Profile)
    with form.refusals(username=UsernameTakenError):
        await service.update_me(actor(), MeUpdate(**form.content.model_dump()))
        await flash("Your profile is saved.")
        return go_to("account.show_overview")
    return await _overview(form, await service.get_me(actor()))


async def _overview(form: Form[Profile], me: MeRead) -> Response:
    return await render_form("pages/account/overview.html", form, me=me)


@account.post("/verification")
@requires("me:write")
async def send_verification(service: Emails) -> Response:
    """Send a link that proves the address."""
    await service.send_verification(actor())
    await flash("A mail with a link is on its way.")
    return go_to("account.show_overview")


@account.get("/email")
@requires("me:write")
async def show_email() -> Response:
    """Show the form for a new email address."""
    require_fresh()
    return await render_form("pages/account/email.html", Form(EmailChange))


@account.post("/email")
@requires("me:write")
async def change_email(service: Emails) -> Response:
    """Send a link to the new address."""
    form = sent_form(EmailChange)
    with form.refusals():
        await service.request_change(actor(), form.content.email)
        await flash("If this address can be used, a mail with a link is on its way. Until then nothing changes.")
        return go_to("account.show_overview")
    return await render_form("pages/account/email.html", form)


@account.get("/confirm")
@requires()
async def show_confirmation(service: Accounts) -> Response:
    """Ask who has logged in some time ago for the password anew."""
    return await _confirmation(Form(Confirmation), service, current_request().args.get("next"))


@account.post("/confirm")
@requires()
@limited(GUESSES_BY_ADDRESS)
async def confirm(service: Accounts, logins: Logins) -> Response:
    """Take the password, and go on to where a fresh login was needed."""
    form, target = sent_form(Confirmation), current_request().form.get("next")
    with form.refusals(code=WrongCodeError, password=WrongCredentialsError):
        begun = await logins.confirm(actor(), form.content, Way.PAGE)
        keep_session(begun)
        return go(wanted(target))
    return await _confirmation(form, service, target)


async def _confirmation(form: Form[Confirmation], service: AccountService, target: str | None) -> Response:
    me = await service.get_me(actor())
    return await render_form("pages/account/confirm.html", form, next=wanted(target), me=me)
