from app.users.daos import UserDao
from app.users.schemas import UserCreate, UserQuery, UserRead, UserUpdate
from carboy.schemas.base import Page, Versions
from carboy.services.pagination import Cursors
from carboy.services.transactions import Service, UnitOfWork, read_only, transactional


class UserService(Service):
    """Manages users. Usernames and email addresses are unique, ignoring case."""

    def __init__(self, unit_of_work: UnitOfWork, users: UserDao, cursors: Cursors) -> None:
        super().__init__(unit_of_work)
        self._users = users
        self._cursors = cursors

    @read_only
    async def list_users(self, query: UserQuery) -> Page[UserRead]:
        """Return one page of users.

        Raises:
            InvalidCursorError: The cursor is forged, or belongs to another list or sort.
        """
        return await self._cursors.page(self._users, query)

    @read_only
    async def get_user(self, user_id: int) -> UserRead:
        """Return a user.

        Raises:
            UserNotFoundError: There is none with this id.
        """
        return await self._users.get(user_id)

    @transactional
    async def create_user(self, new: UserCreate) -> UserRead:
        """Create a user.

        Raises:
            UsernameTakenError, EmailTakenError: Another user has it, ignoring case.
        """
        return await self._users.add(new.model_dump())

    @transactional
    async def update_user(self, user_id: int, change: UserUpdate, versions: Versions = None) -> UserRead:
        """Change the named fields, if the user still has one of these versions.

        Raises:
            StaleVersionError: The user has another version.
            UserNotFoundError: There is no such user.
            UsernameTakenError, EmailTakenError: Another user has it, ignoring case.
        """
        return await self._users.update(user_id, change.model_dump(), versions=versions)

    @transactional
    async def delete_user(self, user_id: int, versions: Versions = None) -> None:
        """Delete a user, if it still has one of these versions.

        Raises:
            StaleVersionError: The user has another version.
            UserNotFoundError: There is no such user.
            InUseError: Other resources refer to the user.
        """
        await self._users.delete(user_id, versions=versions)
