from flask import Response

from app.accounts.pages.links import explain_links, forget_link, link, takes_link
from app.accounts.provided import Emails
from app.accounts.schemas.auth import TokenConfirmation
from app.pages import HOME, actor, go_to, page_blueprint
from app.users.errors import EmailTakenError
from carboy.forms import Form, render_form, sent_form
from carboy.security.errors import UnauthenticatedError
from carboy.web.access import public, requires
from carboy.web.visits import flash

emails = page_blueprint("email_pages", __name__)
explain_links(emails, leads_to=HOME, label="Go to your account")


@emails.get("/verify-email")
@public
@takes_link
async def show_verification() -> Response:
    """Ask whether to prove the address of one's account: a mail program that looks at links proves nothing."""
    return await _show()


@emails.post("/verify-email")
@requires("me:write")
async def verify_email(service: Emails) -> Response:
    """Prove the address of one's account."""
    form = sent_form(TokenConfirmation, token=link())
    with form.refusals():
        await service.verify(actor(), form.content.token)
        forget_link()
        await flash("Your email address is confirmed.")
        return go_to(HOME)
    return await render_form("pages/confirm_email.html", form)


@emails.get("/confirm-email")
@public
@takes_link
async def show_change() -> Response:
    """Ask whether to take over a new address."""
    return await _show()


@emails.post("/confirm-email")
@requires("me:write")
async def change_email(service: Emails) -> Response:
    """Take over a new address."""
    form = sent_form(TokenConfirmation, token=link())
    with form.refusals(EmailTakenError):
        await service.change(actor(), form.content.token)
        forget_link()
        await flash("This is your email address now.")
        return go_to(HOME)
    return await render_form("pages/confirm_email.html", form)


async def _show() -> Response:
    # The link is kept first: whoever has to log in comes back without it.
    if actor().is_anonymous:
        raise UnauthenticatedError
    link()
    return await render_form("pages/confirm_email.html", Form(TokenConfirmation))
