from typing import Annotated

from dependency_injector.wiring import Provide
from flask import url_for
from pydantic import Field

from app.users.errors import EmailTakenError, UsernameTakenError, UserNotFoundError
from app.users.schemas import UserCreate, UserQuery, UserRead, UserUpdate
from app.users.services import UserService
from carboy.api import ApiBlueprint, Created, Expected
from carboy.errors import InUseError
from carboy.schemas.base import Page

users = ApiBlueprint(
    "users", __name__, url_prefix="/api/users", description="The people and programs that use the API."
)

Users = Annotated[UserService, Provide["user_service"]]
UserId = Annotated[int, Field(description="The user's id.", examples=[1])]

TAKEN = (UsernameTakenError, EmailTakenError)


@users.get("")
async def list_users(query: UserQuery, service: Users) -> Page[UserRead]:
    """List users.

    Pages have a stable order: when users are created or deleted meanwhile, no other user is repeated or skipped.
    Filters match whole values and ignore case.
    """
    return await service.list_users(query)


@users.post("", errors=TAKEN)
async def create_user(new: UserCreate, service: Users) -> Created[UserRead]:
    """Create a user.

    Usernames and email addresses are unique without regard to case. With an `Idempotency-Key` the request can be
    retried without creating a second user.
    """
    user = await service.create_user(new)
    return Created(user, url_for(".get_user", user_id=user.id))


@users.get("/<int:user_id>", errors=[UserNotFoundError])
async def get_user(user_id: UserId, service: Users) -> UserRead:
    """Get a user."""
    return await service.get_user(user_id)


# POST is an alias of PATCH for clients that cannot send PATCH.
@users.post("/<int:user_id>", endpoint="update_user_by_post", errors=[UserNotFoundError, *TAKEN])
@users.patch("/<int:user_id>", errors=[UserNotFoundError, *TAKEN])
async def update_user(user_id: UserId, change: UserUpdate, expected: Expected, service: Users) -> UserRead:
    """Change a user.

    A JSON merge patch (RFC 7396): omitted fields keep their values, and null clears an optional field.
    With `If-Match` the change is made only if the user has not changed meanwhile.
    """
    return await service.update_user(user_id, change, expected)


@users.delete("/<int:user_id>", errors=[UserNotFoundError, InUseError])
async def delete_user(user_id: UserId, expected: Expected, service: Users) -> None:
    """Delete a user.

    A user whom other resources refer to is kept.
    """
    await service.delete_user(user_id, expected)
