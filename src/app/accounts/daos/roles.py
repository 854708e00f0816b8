from collections.abc import Iterable

from app.accounts.errors import RoleNameTakenError, RoleNotFoundError
from app.accounts.models import Role
from app.accounts.schemas.roles import RoleQuery, RoleRead
from carboy.daos.base import Dao


class RoleDao(Dao[RoleRead]):
    model, record, not_found, query = Role, RoleRead, RoleNotFoundError, RoleQuery
    conflicts = {"name": RoleNameTakenError}

    async def get_by_name(self, name: str) -> RoleRead:
        """Return a role. Within a transaction nobody else can change it, or who has it, until that ends."""
        return self._found(await self._find_by(name=name))

    async def missing(self, names: Iterable[str]) -> list[str]:
        """Return those names that no role has."""
        return [name for name in names if await self._find_by(name=name) is None]
