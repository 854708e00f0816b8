"""The users as administrators see them."""

from collections.abc import Awaitable
from typing import Annotated

from dependency_injector.wiring import Provide
from flask import Response
from pydantic import Field

from app.accounts.provided import Accounts, Passwords, Roles, Sessions
from app.accounts.schemas.common import Name
from app.pages import actor, attempt, go_to, page_blueprint
from app.security import Permission
from app.users.schemas import UserQuery, UserUpdate
from app.users.services import UserService
from carboy.errors import ConflictError, PreconditionFailedError
from carboy.forms import sent_form, sent_query
from carboy.schemas.base import Input
from carboy.security.errors import ForbiddenError
from carboy.web.access import requires
from carboy.web.flashes import FlashKind
from carboy.web.visits import flash, render_page

users = page_blueprint("admin_users", __name__, "/admin/users")

Users = Annotated[UserService, Provide["user_service"]]
REFUSALS = (ConflictError, PreconditionFailedError, ForbiddenError)
"""What is told on the page of the user, as a rule and not the form was in the way."""


class RolesChoice(Input):
    """The form of an account's roles."""

    roles: list[Name] = Field(default=[], max_length=50)
    version: int
    """That of the account as the page showed it: nobody overwrites what another has given or taken meanwhile."""


@users.get("")
@requires("users:read")
async def list_users(service: Users) -> Response:
    """Show users, and look for some."""
    query = sent_query(UserQuery)
    return await render_page("pages/admin/users.html", page=await service.list_users(query), query=query)


@users.get("/<int:user_id>")
@requires("users:read")
async def show_user(user_id: int, users: Users, accounts: Accounts, roles: Roles) -> Response:
    """Show a user, and what may be done to them."""
    may_assign = actor().may(Permission.ROLES_MANAGE)
    may_see_account = may_assign or actor().may(Permission.ACCOUNTS_MANAGE)
    return await render_page(
        "pages/admin/user.html",
        user=await users.get_user(user_id),
        account=await accounts.get_account_of_user(user_id) if may_see_account else None,
        roles=[role async for role in roles.every_role()] if may_assign else [],
    )


@users.post("/<int:user_id>/disable")
@requires("users:write")
async def disable_user(user_id: int, service: Users) -> Response:
    """Disable a user, whose sessions end."""
    return await _do(user_id, service.update_user(actor(), user_id, UserUpdate(active=False)), "Disabled.")


@users.post("/<int:user_id>/enable")
@requires("users:write")
async def enable_user(user_id: int, service: Users) -> Response:
    """Let a user in again."""
    return await _do(user_id, service.update_user(actor(), user_id, UserUpdate(active=True)), "Enabled.")


@users.post("/<int:user_id>/roles")
@requires("roles:manage")
async def assign_roles(user_id: int, accounts: Accounts, roles: Roles) -> Response:
    """Give a user the roles that are chosen, and no others."""
    form = sent_form(RolesChoice)
    with form.refusals():
        account = await accounts.get_account_of_user(user_id)
        assigned = roles.assign(actor(), account.id, form.content.roles, frozenset({form.content.version}))
        return await _do(user_id, assigned, "The roles are saved.")
    # Only what the page does not offer comes here.
    await flash("These are no roles.", FlashKind.ERROR)
    return go_to("admin_users.show_user", user_id=user_id)


@users.post("/<int:user_id>/sessions/end")
@requires("accounts:manage")
async def end_sessions(user_id: int, accounts: Accounts, sessions: Sessions) -> Response:
    """End all sessions of a user."""
    account = await accounts.get_account_of_user(user_id)
    return await _do(user_id, sessions.end_all_of(actor(), account.id), "The sessions are ended.")


@users.post("/<int:user_id>/password-reset")
@requires("accounts:manage")
async def trigger_password_reset(user_id: int, accounts: Accounts, passwords: Passwords) -> Response:
    """Send a user a link for a new password."""
    account = await accounts.get_account_of_user(user_id)
    done = "A mail with a link for a new password is on its way."
    return await _do(user_id, passwords.trigger_reset(actor(), account.id), done)


async def _do(user_id: int, change: Awaitable[object], done: str) -> Response:
    """Make a change, say how it went, and go back to the user's page."""
    await attempt(change, done, *REFUSALS)
    return go_to("admin_users.show_user", user_id=user_id)
