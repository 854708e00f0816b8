from flask import Response

from app.accounts.limits import GUESSES_BY_ADDRESS
from app.accounts.pages.own import own_pages
from app.accounts.provided import Accounts, Passwords
from app.accounts.schemas.me import PasswordChange
from app.accounts.services.accounts import AccountService
from app.pages import actor, go_to
from carboy.forms import Form, render_form, sent_form
from carboy.web.access import requires
from carboy.web.rate_limits import limited
from carboy.web.visits import flash

password = own_pages("account_password", __name__, "/password")


@password.get("")
@requires("me:write")
async def show_password(accounts: Accounts) -> Response:
    """Show the form for a new password."""
    return await _show(Form(PasswordChange), accounts)


@password.post("")
@requires("me:write")
@limited(GUESSES_BY_ADDRESS)
async def change_password(service: Passwords, accounts: Accounts) -> Response:
    """Change the password; the other sessions end."""
    form = sent_form(PasswordChange)
    with form.refusals():
        await service.change(actor(), form.content)
        await flash("Your password is changed, and your other sessions are ended.")
        return go_to("account_password.show_password")
    return await _show(form, accounts)


async def _show(form: Form[PasswordChange], accounts: AccountService) -> Response:
    return await render_form("pages/account/password.html", form, me=await accounts.get_me(actor()))
