"""A view's signature declares its route: what it takes and what it returns.

From it come parsing, validation, the answer, and the OpenAPI document; there is no second place to edit::

    users = ApiBlueprint("users", __name__, url_prefix="/api/users", description="Who may use the API.")

    @users.patch("/<int:user_id>", errors=[UserNotFoundError])
    async def update_user(user_id: UserId, change: UserUpdate, expected: Expected, service: Users) -> UserRead:
        \"\"\"Change a user.\"\"\"
        return await service.update_user(user_id, change, expected)
"""

from carboy.api.answers import Created, Issued
from carboy.api.blueprint import ApiBlueprint
from carboy.api.deprecation import deprecated
from carboy.api.event_streams import EventStream
from carboy.api.operation import DeclarationError, Expected, LastEventId
from carboy.web.access import public, requires
from carboy.web.rate_limits import limited

__all__ = [
    "ApiBlueprint",
    "Created",
    "DeclarationError",
    "EventStream",
    "Expected",
    "Issued",
    "LastEventId",
    "deprecated",
    "limited",
    "public",
    "requires",
]
