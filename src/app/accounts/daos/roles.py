from collections.abc import Iterable

from app.accounts.errors import RoleNameTakenError, RoleNotFoundError
from app.accounts.models import Role
from app.accounts.schemas.internal import RoleKey
from app.accounts.schemas.roles import RoleQuery, RoleRead
from carboy.daos.base import Dao


class RoleDao(Dao[RoleRead]):
    model, record, not_found, query = Role, RoleRead, RoleNotFoundError, RoleQuery
    conflicts = {"name": RoleNameTakenError}

    async def lock(self, name: str) -> None:
        """Lock a role: nobody else can change it, or who has it, until the current transaction ends.

        Raises:
            RoleNotFoundError: There is none with this name.
        """
        if await self.find_as(RoleKey, name=name) is None:
            raise RoleNotFoundError

    async def missing(self, names: Iterable[str]) -> list[str]:
        """Return those names that no role has."""
        return [name for name in names if await self._find_by(name=name) is None]
