from app.users.errors import EmailTakenError, UsernameTakenError, UserNotFoundError
from app.users.models import User
from app.users.schemas import UserQuery, UserRead
from carboy.daos.base import Dao
from carboy.schemas.emails import fold_email


class UserDao(Dao[UserRead]):
    model, record, not_found, query = User, UserRead, UserNotFoundError, UserQuery
    folds = {"email": fold_email}
    conflicts = {"username_key": UsernameTakenError, "email_key": EmailTakenError}

    async def get_by_username(self, username: str) -> UserRead:
        return self._found(await self.find_by_username(username))

    async def find_by_username(self, username: str) -> UserRead | None:
        return await self._find_by(username=username)

    async def get_by_email(self, email: str) -> UserRead:
        return self._found(await self.find_by_email(email))

    async def find_by_email(self, email: str) -> UserRead | None:
        return await self._find_by(email=email)
