from flask import Response

from app.accounts.limits import GUESSES_BY_ADDRESS, REGISTER
from app.accounts.pages.links import explain_links, find_link, forget_link, link, takes_link
from app.accounts.provided import Registrations
from app.accounts.schemas.auth import Accepted, FirstAdministrator, InvitationRequest, Registration
from app.accounts.services.registration import RegistrationService
from app.pages import LOGIN, actor, go_to, page_blueprint
from app.users.errors import EmailTakenError, UsernameTakenError
from carboy.forms import Form, render_form, sent_form
from carboy.web.access import public
from carboy.web.flashes import FlashKind
from carboy.web.rate_limits import limited
from carboy.web.visits import flash

FIRST = "pages/first_administrator.html"

registration = page_blueprint("registration_pages", __name__)
explain_links(registration, leads_to=LOGIN, label="Go to the login")


@registration.get("/register")
@public
@takes_link
async def show_registration(service: Registrations) -> Response:
    """Show the form to register to whoever has an invitation; where everybody may register, offer one to others."""
    if find_link() is None and service.is_open:
        return go_to("registration_pages.show_offer")
    email = await service.invited(find_link())
    return await _render_registration(Form(Registration), service, email)


@registration.post("/register")
@public
@limited(REGISTER)
async def register(service: Registrations) -> Response:
    """Make an account of the address that an invitation was sent to."""
    email = await service.invited(link())
    form = sent_form(Registration, invitation=link(), email=email)
    with form.refusals(EmailTakenError, username=UsernameTakenError):
        await service.register(actor(), form.content)
        forget_link()
        await flash("You have an account now. Log in to begin.")
        return go_to(LOGIN)
    return await _render_registration(form, service, email)


@registration.get("/invitation")
@public
async def show_offer(service: Registrations) -> Response:
    """Show the form that asks for an invitation, where everybody may register."""
    if not service.is_open:
        await service.invited(None)
    return await render_form("pages/invitation.html", Form(InvitationRequest))


@registration.post("/invitation")
@public
@limited(REGISTER)
async def request_invitation(service: Registrations) -> Response:
    """Send an invitation; whether the address is known is told to its owner alone."""
    form = sent_form(InvitationRequest)
    with form.refusals():
        await service.request_invitation(actor(), form.content.email)
        await flash(Accepted().detail, FlashKind.INFO)
        return go_to(LOGIN)
    return await render_form("pages/invitation.html", form)


@registration.get("/first-administrator")
@public
@takes_link
async def show_first_administrator(service: Registrations) -> Response:
    """Show the form that makes the first administrator, to whoever has the link that the server printed."""
    await service.check_offer(link())
    return await render_form(FIRST, Form(FirstAdministrator), min_length=service.min_length)


@registration.post("/first-administrator")
@public
@limited(GUESSES_BY_ADDRESS)
async def claim_first_administrator(service: Registrations) -> Response:
    """Make the first administrator."""
    form = sent_form(FirstAdministrator, token=link())
    with form.refusals(username=UsernameTakenError, email=EmailTakenError):
        await service.claim(actor(), form.content)
        forget_link()
        await flash("You are the administrator now. Log in to begin.")
        return go_to(LOGIN)
    return await render_form(FIRST, form, min_length=service.min_length)


async def _render_registration(form: Form[Registration], service: RegistrationService, email: str | None) -> Response:
    return await render_form("pages/register.html", form, email=email, min_length=service.min_length)
