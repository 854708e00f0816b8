from flask import after_this_request

from app.accounts.errors import (
    AlreadySetUpError,
    InvalidOneTimeTokenError,
    InvalidRefreshTokenError,
    InvitationRequiredError,
    RegistrationClosedError,
    SessionRequiredError,
    WrongCodeError,
    WrongCredentialsError,
)
from app.accounts.limits import GUESSES_BY_ADDRESS, REGISTER
from app.accounts.provided import Emails, Logins, Passwords, Registrations, Sessions
from app.accounts.routes.common import clear_browser, keep_out_of_caches
from app.accounts.schemas.auth import (
    Accepted,
    Confirmation,
    FirstAdministrator,
    InvitationRequest,
    Login,
    Refresh,
    Registration,
    ResetConfirmation,
    ResetRequest,
    SecondStep,
    TokenConfirmation,
    Tokens,
)
from app.security import Actor
from app.users.errors import EmailTakenError, UsernameTakenError
from carboy.api import ApiBlueprint, limited, public, requires
from carboy.security.errors import PasswordsBusyError

auth = ApiBlueprint("auth", __name__, url_prefix="/api/auth", description="Logging in and out, and getting an account.")
auth.after_request(keep_out_of_caches)


@auth.post("/login", errors=[WrongCredentialsError, PasswordsBusyError])
@public
@limited(GUESSES_BY_ADDRESS)
async def log_in(given: Login, actor: Actor, service: Logins) -> Tokens:
    """Log in.

    Where the account has a second factor, only `second_factor_token` is given: send it with a code to
    `/api/auth/second-factor`. An unknown name, a wrong password and a disabled account are answered alike.
    """
    return (await service.log_in(actor, given)).tokens


@auth.post("/second-factor", errors=[WrongCodeError])
@public
@limited(GUESSES_BY_ADDRESS)
async def log_in_with_second_factor(given: SecondStep, actor: Actor, service: Logins) -> Tokens:
    """Finish a login with a code.

    It is a code of an authenticator app or a recovery code. Each works once.
    """
    return (await service.confirm_login(actor, given)).tokens


@auth.post("/confirm", errors=[WrongCredentialsError, WrongCodeError, SessionRequiredError, PasswordsBusyError])
@requires()
@limited(GUESSES_BY_ADDRESS)
async def confirm_login(given: Confirmation, actor: Actor, service: Logins) -> Tokens:
    """Confirm the password within a session.

    What needs a fresh login can be done then, for some minutes. The session's tokens are replaced.
    """
    return (await service.confirm(actor, given)).tokens


@auth.post("/refresh", errors=[InvalidRefreshTokenError])
@public
async def refresh_tokens(given: Refresh, actor: Actor, service: Sessions) -> Tokens:
    """Get new tokens for a refresh token.

    A refresh token works once. If it comes again later, somebody has stolen it: the whole session ends.
    """
    return await service.refresh(actor, given.refresh_token)


@auth.post("/logout")
@requires()
async def log_out(actor: Actor, service: Sessions) -> None:
    """Log out.

    The session ends, and all of its tokens with it.
    """
    await service.log_out(actor)
    after_this_request(clear_browser)


@auth.post("/invitation", errors=[RegistrationClosedError])
@public
@limited(REGISTER)
async def request_invitation(given: InvitationRequest, actor: Actor, service: Registrations) -> Accepted:
    """Ask for an invitation, where everybody may register.

    It is sent to the address. If that belongs to an account already, its owner is told so, which the answer does not
    tell.
    """
    await service.request_invitation(actor, given.email)
    return Accepted()


@auth.post(
    "/register",
    errors=[
        RegistrationClosedError,
        InvitationRequiredError,
        InvalidOneTimeTokenError,
        UsernameTakenError,
        EmailTakenError,
        PasswordsBusyError,
    ],
)
@public
@limited(REGISTER)
async def register(given: Registration, actor: Actor, service: Registrations) -> Accepted:
    """Get an account, by the invitation that was sent to the email address."""
    await service.register(actor, given)
    return Accepted()


@auth.post("/password-reset")
@public
@limited(GUESSES_BY_ADDRESS)
async def request_password_reset(given: ResetRequest, actor: Actor, service: Passwords) -> Accepted:
    """Ask for a link to reset a password.

    It is sent to the address if that belongs to an account, which the answer does not tell.
    """
    await service.request_reset(actor, given.email)
    return Accepted()


@auth.post("/password-reset/confirm", errors=[InvalidOneTimeTokenError, PasswordsBusyError])
@public
@limited(GUESSES_BY_ADDRESS)
async def reset_password(given: ResetConfirmation, actor: Actor, service: Passwords) -> None:
    """Set a new password by the token of a link.

    All sessions of the account end. A second factor stays in force.
    """
    await service.reset(actor, given)


@auth.post("/email-verification")
@requires("me:write")
async def request_email_verification(actor: Actor, service: Emails) -> Accepted:
    """Ask for a link that proves the email address of one's account."""
    await service.send_verification(actor)
    return Accepted()


@auth.post("/email-verification/confirm", errors=[InvalidOneTimeTokenError])
@requires("me:write")
async def verify_email(given: TokenConfirmation, actor: Actor, service: Emails) -> None:
    """Prove the email address of one's account by the token of a link.

    Only the account that asked for the link can use it.
    """
    await service.verify(actor, given.token)


@auth.post(
    "/first-administrator",
    errors=[
        InvalidOneTimeTokenError,
        AlreadySetUpError,
        UsernameTakenError,
        EmailTakenError,
        PasswordsBusyError,
    ],
)
@public
@limited(GUESSES_BY_ADDRESS)
async def claim_first_administrator(given: FirstAdministrator, actor: Actor, service: Registrations) -> None:
    """Become the first administrator, by the token that the server's operator was shown."""
    await service.claim(actor, given)
