from typing import Annotated

from dependency_injector.wiring import Provide
from flask import url_for
from pydantic import Field

from app.security import Actor, LastAdministratorError
from app.users.errors import EmailTakenError, ForeignFieldError, UsernameTakenError, UserNotFoundError
from app.users.schemas import UserCreate, UserQuery, UserRead, UserUpdate
from app.users.services import UserService
from carboy.api import ApiBlueprint, Created, Expected, requires
from carboy.errors import InUseError
from carboy.schemas.base import Page

users = ApiBlueprint(
    "users", __name__, url_prefix="/api/users", description="The people and programs that use the API."
)

Users = Annotated[UserService, Provide["user_service"]]
UserId = Annotated[int, Field(description="The user's id.", examples=[1])]

TAKEN = (UsernameTakenError, EmailTakenError)
CHANGING = (UserNotFoundError, ForeignFieldError, LastAdministratorError, *TAKEN)


@users.get("")
@requires("users:read")
async def list_users(query: UserQuery, service: Users) -> Page[UserRead]:
    """List users.

    Pages have a stable order: when users are created or deleted meanwhile, no other user is repeated or skipped.
    Filters match whole values and ignore case.
    """
    return await service.list_users(query)


@users.post("", errors=TAKEN)
@requires("users:write")
async def create_user(new: UserCreate, actor: Actor, service: Users) -> Created[UserRead]:
    """Create a user.

    Usernames and email addresses are unique without regard to case. With an `Idempotency-Key` the request can be
    retried without creating a second user.
    """
    user = await service.create_user(actor, new)
    return Created(user, url_for(".get_user", user_id=user.id))


@users.get("/<int:user_id>", errors=[UserNotFoundError])
@requires("users:read", own="user_id")
async def get_user(user_id: UserId, service: Users) -> UserRead:
    """Get a user."""
    return await service.get_user(user_id)


# POST is an alias of PATCH for clients that cannot send PATCH.
@users.post("/<int:user_id>", endpoint="update_user_by_post", errors=CHANGING)
@users.patch("/<int:user_id>", errors=CHANGING)
@requires("users:write", own="user_id")
async def update_user(
    user_id: UserId, change: UserUpdate, expected: Expected, actor: Actor, service: Users
) -> UserRead:
    """Change a user.

    Without the permission `users:write` people can change their own username and full name.

    A JSON merge patch (RFC 7396): omitted fields keep their values, and null clears an optional field.
    With `If-Match` the change is made only if the user has not changed meanwhile.
    """
    return await service.update_user(actor, user_id, change, expected)


@users.delete("/<int:user_id>", errors=[UserNotFoundError, InUseError, LastAdministratorError])
@requires("users:write")
async def delete_user(user_id: UserId, expected: Expected, actor: Actor, service: Users) -> None:
    """Delete a user.

    What is theirs goes with them, and the audit log forgets from where they came. A user whom other resources refer to
    is kept.
    """
    await service.delete_user(actor, user_id, expected)
