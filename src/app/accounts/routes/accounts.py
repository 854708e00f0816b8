from app.accounts.errors import AccountNotFoundError, LastAdministratorError
from app.accounts.provided import Accounts, Passwords, Registrations, Roles, Sessions
from app.accounts.routes.common import AccountId
from app.accounts.schemas.accounts import AccountQuery, AccountRead, RolesAssignment
from app.accounts.schemas.auth import InvitationCreate, InvitationRead
from app.security import Actor
from carboy.api import ApiBlueprint, Expected, requires
from carboy.schemas.base import Page

accounts = ApiBlueprint("accounts", __name__, url_prefix="/api/accounts", description="Everybody's accounts.")


@accounts.get("")
@requires("accounts:manage")
async def list_accounts(query: AccountQuery, service: Accounts) -> Page[AccountRead]:
    """List accounts."""
    return await service.list_accounts(query)


@accounts.get("/<int:account_id>", errors=[AccountNotFoundError])
@requires("accounts:manage", own="account_id")
async def get_account(account_id: AccountId, service: Accounts) -> AccountRead:
    """Get an account."""
    return await service.get_account(account_id)


@accounts.put("/<int:account_id>/roles", errors=[AccountNotFoundError, LastAdministratorError])
@requires("roles:manage")
async def assign_roles(
    account_id: AccountId, wanted: RolesAssignment, expected: Expected, actor: Actor, service: Roles
) -> AccountRead:
    """Give an account roles.

    It has these afterwards, and no others. What they permit holds from its next request on.
    """
    return await service.assign(actor, account_id, wanted.roles, expected)


@accounts.delete("/<int:account_id>/sessions", errors=[AccountNotFoundError])
@requires("accounts:manage")
async def end_sessions_of_account(account_id: AccountId, actor: Actor, service: Sessions) -> None:
    """End all sessions of an account."""
    await service.end_all_of(actor, account_id)


@accounts.post("/<int:account_id>/password-reset", errors=[AccountNotFoundError])
@requires("accounts:manage")
async def trigger_password_reset(account_id: AccountId, actor: Actor, service: Passwords) -> None:
    """Send the owner of an account a link to reset the password."""
    await service.trigger_reset(actor, account_id)


@accounts.post("/invitations")
@requires("accounts:manage")
async def invite(new: InvitationCreate, actor: Actor, service: Registrations) -> InvitationRead:
    """Invite somebody by mail.

    To invite with a role takes the permission `roles:manage` too.
    """
    return await service.invite(actor, new)
