from app.users.errors import EmailTakenError, UsernameTakenError, UserNotFoundError
from app.users.models import User
from app.users.schemas import UserRead
from carboy.daos.base import Dao
from carboy.schemas.emails import fold_email


class UserDao(Dao[UserRead]):
    model, record, not_found = User, UserRead, UserNotFoundError
    folded = {"username": "username_key", "email": "email_key", "full_name": "full_name_key"}
    folds = {"email": fold_email}
    conflicts = {"username_key": UsernameTakenError, "email_key": EmailTakenError}
    sorts = {"created": "created_at", "username": "username_key", "email": "email_key"}
    searched = ("username_key", "email_key", "full_name_key")

    async def get_by_username(self, username: str) -> UserRead:
        return self._found(await self.find_by_username(username))

    async def find_by_username(self, username: str) -> UserRead | None:
        return await self._find_by(username=username)

    async def get_by_email(self, email: str) -> UserRead:
        return self._found(await self.find_by_email(email))

    async def find_by_email(self, email: str) -> UserRead | None:
        return await self._find_by(email=email)
