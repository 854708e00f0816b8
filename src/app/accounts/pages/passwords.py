from flask import Response

from app.accounts.limits import GUESSES_BY_ADDRESS
from app.accounts.pages.links import explain_links, forget_link, link, takes_link
from app.accounts.provided import Passwords
from app.accounts.schemas.auth import Accepted, ResetConfirmation, ResetRequest
from app.pages import LOGIN, actor, go_to, page_blueprint
from carboy.forms import Form, render_form, sent_form
from carboy.web.access import public
from carboy.web.flashes import FlashKind
from carboy.web.rate_limits import limited
from carboy.web.visits import flash

passwords = page_blueprint("password_pages", __name__)
explain_links(passwords, leads_to="password_pages.show_forgotten", label="Ask for a new link")


@passwords.get("/forgot-password")
@public
async def show_forgotten() -> Response:
    """Show the form that asks for a link to a new password."""
    return await render_form("pages/forgot_password.html", Form(ResetRequest))


@passwords.post("/forgot-password")
@public
@limited(GUESSES_BY_ADDRESS)
async def request_reset(service: Passwords) -> Response:
    """Send a link if the address belongs to an account, and say the same if it does not."""
    form = sent_form(ResetRequest)
    with form.refusals():
        await service.request_reset(actor(), form.content.email)
        await flash(Accepted().detail, FlashKind.INFO)
        return go_to(LOGIN)
    return await render_form("pages/forgot_password.html", form)


@passwords.get("/reset-password")
@public
@takes_link
async def show_reset(service: Passwords) -> Response:
    """Show the form for a new password to whoever has the link of the mail."""
    username = await service.whose_reset(link())
    return await render_form("pages/reset_password.html", Form(ResetConfirmation), username=username)


@passwords.post("/reset-password")
@public
@limited(GUESSES_BY_ADDRESS)
async def reset_password(service: Passwords) -> Response:
    """Set a new password; all sessions of the account end."""
    username = await service.whose_reset(link())
    form = sent_form(ResetConfirmation, token=link())
    with form.refusals():
        await service.reset(actor(), form.content)
        forget_link()
        await flash("Your password is changed, and you are logged out everywhere. Log in with the new one.")
        return go_to(LOGIN)
    return await render_form("pages/reset_password.html", form, username=username)
