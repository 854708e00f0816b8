from flask import after_this_request

from app.accounts.errors import (
    ApiKeyNotFoundError,
    ExcessiveScopesError,
    FreshLoginRequiredError,
    InvalidOneTimeTokenError,
    LastAdministratorError,
    PersonRequiredError,
    SecondFactorError,
    SessionNotFoundError,
    TooManyKeysError,
    WrongCodeError,
)
from app.accounts.limits import EXPORTS, GUESSES_BY_ADDRESS
from app.accounts.provided import Accounts, Emails, Factors, Keys, Passwords, PersonalDataOf, Sessions
from app.accounts.routes.common import KeyId, SessionId, clear_browser, keep_out_of_caches
from app.accounts.schemas.auth import Accepted, TokenConfirmation
from app.accounts.schemas.export import PersonalDataRead
from app.accounts.schemas.keys import ApiKeyCreate, ApiKeyIssued, ApiKeyQuery, ApiKeyRead
from app.accounts.schemas.me import (
    EmailChange,
    MeRead,
    MeUpdate,
    PasswordChange,
    RecoveryCodes,
    TotpConfirmation,
    TotpPrepared,
)
from app.accounts.schemas.sessions import SessionQuery, SessionRead
from app.security import Actor
from app.users.errors import EmailTakenError, UsernameTakenError
from carboy.api import ApiBlueprint, Issued, limited, requires
from carboy.errors import InUseError
from carboy.schemas.base import Page
from carboy.security.errors import PasswordsBusyError

me = ApiBlueprint("me", __name__, url_prefix="/api/me", description="One's own account, whoever one is.")
me.after_request(keep_out_of_caches)


@me.get("")
@requires("me:read")
async def get_me(actor: Actor, service: Accounts) -> MeRead:
    """Get one's own account."""
    return await service.get_me(actor)


@me.patch("", errors=[PersonRequiredError, UsernameTakenError])
@requires("me:write")
async def update_me(change: MeUpdate, actor: Actor, service: Accounts) -> MeRead:
    """Change one's own profile.

    The email address has a way of its own, `/api/me/email`, which proves it.
    """
    return await service.update_me(actor, change)


@me.delete("", errors=[FreshLoginRequiredError, PersonRequiredError, LastAdministratorError, InUseError])
@requires("me:write")
async def erase_me(actor: Actor, service: PersonalDataOf) -> None:
    """Erase oneself.

    The account goes, with its sessions, its keys and all that is yours. What you did stays written down, without where
    it came from.
    """
    await service.erase_own(actor)
    after_this_request(clear_browser)


@me.get("/export", errors=[PersonRequiredError])
@requires("me:read")
@limited(EXPORTS)
async def export_me(actor: Actor, service: PersonalDataOf) -> PersonalDataRead:
    """Get all that is known of oneself.

    Rows of others, and secrets, are left out. `truncated` names the tables of which there is more than an answer holds.
    """
    return await service.export_own(actor)


@me.post("/password", errors=[PasswordsBusyError])
@requires("me:write")
@limited(GUESSES_BY_ADDRESS)
async def change_password(given: PasswordChange, actor: Actor, service: Passwords) -> None:
    """Change one's own password.

    The other sessions of the account end.
    """
    await service.change(actor, given)


@me.post("/email", errors=[FreshLoginRequiredError, PersonRequiredError])
@requires("me:write")
async def request_email_change(given: EmailChange, actor: Actor, service: Emails) -> Accepted:
    """Ask for a link to a new email address.

    The address is the account's once the link's token has been sent to `/api/me/email/confirm`, and not before.
    """
    await service.request_change(actor, given.email)
    return Accepted()


@me.post("/email/confirm", errors=[InvalidOneTimeTokenError, PersonRequiredError, EmailTakenError])
@requires("me:write")
async def change_email(given: TokenConfirmation, actor: Actor, service: Emails) -> None:
    """Take over a new email address by the token of its link."""
    await service.change(actor, given.token)


@me.get("/sessions")
@requires("me:read")
async def list_sessions(query: SessionQuery, actor: Actor, service: Sessions) -> Page[SessionRead]:
    """List the sessions of one's own account."""
    return await service.list_own(actor, query)


@me.delete("/sessions")
@requires("me:write")
async def end_other_sessions(actor: Actor, service: Sessions) -> None:
    """End all sessions of one's own account but this one."""
    await service.end_others(actor)


@me.delete("/sessions/<int:session_id>", errors=[SessionNotFoundError])
@requires("me:write")
async def end_session(session_id: SessionId, actor: Actor, service: Sessions) -> None:
    """End a session of one's own account."""
    await service.end_own(actor, session_id)


@me.get("/api-keys")
@requires("me:read")
async def list_api_keys(query: ApiKeyQuery, actor: Actor, service: Keys) -> Page[ApiKeyRead]:
    """List the API keys of one's own account."""
    return await service.list_own(actor, query)


@me.post("/api-keys", errors=[FreshLoginRequiredError, ExcessiveScopesError, TooManyKeysError])
@requires("me:write")
async def create_api_key(new: ApiKeyCreate, actor: Actor, service: Keys) -> Issued[ApiKeyIssued]:
    """Make an API key.

    The key itself is shown this once. It can be limited to scopes, and to a time.
    """
    return Issued(await service.create_own(actor, new))


@me.delete("/api-keys/<int:key_id>", errors=[ApiKeyNotFoundError])
@requires("me:write")
async def revoke_api_key(key_id: KeyId, actor: Actor, service: Keys) -> None:
    """Revoke an API key."""
    await service.revoke_own(actor, key_id)


@me.post("/second-factor", errors=[FreshLoginRequiredError, SecondFactorError])
@requires("me:write")
async def prepare_second_factor(actor: Actor, service: Factors) -> TotpPrepared:
    """Prepare an authenticator app as a second factor.

    It counts once a first code has been sent to `/api/me/second-factor/confirm`.
    """
    return await service.prepare(actor)


@me.post("/second-factor/confirm", errors=[FreshLoginRequiredError, SecondFactorError, WrongCodeError])
@requires("me:write")
async def enable_second_factor(given: TotpConfirmation, actor: Actor, service: Factors) -> RecoveryCodes:
    """Turn the second factor on.

    The answer is the recovery codes, which are shown this once. The other sessions of the account end.
    """
    return await service.confirm(actor, given.code)


@me.delete("/second-factor", errors=[FreshLoginRequiredError, SecondFactorError])
@requires("me:write")
async def disable_second_factor(actor: Actor, service: Factors) -> None:
    """Turn the second factor off.

    The other sessions of the account end.
    """
    await service.disable(actor)


@me.post("/recovery-codes", errors=[FreshLoginRequiredError, SecondFactorError])
@requires("me:write")
async def make_recovery_codes(actor: Actor, service: Factors) -> RecoveryCodes:
    """Make new recovery codes.

    They are shown this once, and the old ones work no longer.
    """
    return await service.make_codes(actor)
