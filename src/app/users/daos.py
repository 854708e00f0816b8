from collections.abc import Mapping, Sequence
from typing import ClassVar

from app.users.errors import EmailTakenError, UsernameTakenError, UserNotFoundError
from app.users.models import User
from app.users.schemas import UserRead
from carboy.daos.base import Dao
from carboy.errors import ConflictError


class UserDao(Dao[UserRead]):
    """Looks names up by their keys, which the caller has case-folded."""

    model = User
    record = UserRead
    not_found = UserNotFoundError
    conflicts: ClassVar[Mapping[str, type[ConflictError]]] = {
        "username_key": UsernameTakenError,
        "email_key": EmailTakenError,
    }
    sorts: ClassVar[Mapping[str, str]] = {
        "created": "created_at",
        "username": "username_key",
        "email": "email_key",
    }
    searched: ClassVar[Sequence[str]] = ("username_key", "email_key", "full_name_key")

    async def get_by_username(self, username_key: str) -> UserRead:
        return self._found(await self.find_by_username(username_key))

    async def find_by_username(self, username_key: str) -> UserRead | None:
        return await self._find_by(username_key=username_key)

    async def get_by_email(self, email_key: str) -> UserRead:
        return self._found(await self.find_by_email(email_key))

    async def find_by_email(self, email_key: str) -> UserRead | None:
        return await self._find_by(email_key=email_key)
