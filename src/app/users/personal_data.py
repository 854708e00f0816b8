from collections.abc import AsyncGenerator

from app.users.daos import UserDao
from carboy.services import UnitOfWork
from carboy.services.personal_data import Person, PersonalData, Row


class UserData(PersonalData):
    """The profile of a person."""

    tables = ("users",)

    def __init__(self, unit_of_work: UnitOfWork, users: UserDao) -> None:
        self._unit_of_work = unit_of_work
        self._users = users

    async def export(self, person: Person) -> AsyncGenerator[Row, None]:
        user = await self._unit_of_work.read(lambda: self._users.get(person.user_id))
        yield "users", user.model_dump(mode="json")

    async def erase(self, person: Person) -> None:
        """Do nothing: whoever erases a person deletes the user, after all that refers to it."""
