"""Rules about accounts that several services keep."""

from app.accounts.daos import AccountDao, RoleDao
from app.accounts.errors import LastAdministratorError
from app.security import ADMINISTRATOR, Actor, Permission
from carboy.security.errors import ForbiddenError


class Guard:
    """Keeps an application from losing its last administrator, and anybody from getting at more than they may do."""

    def __init__(self, accounts: AccountDao, roles: RoleDao) -> None:
        self._accounts = accounts
        self._roles = roles

    async def keep_an_administrator(self, account_id: int) -> None:
        """Refuse to take an account away if it is the last administrator; it joins the unit of work of that change.

        The transaction must have locked the account, so that it does not become an administrator meanwhile.

        Raises:
            LastAdministratorError: It is.
        """
        if not await self._accounts.is_administrator(account_id):
            return
        # It locks the role: of two administrators who remove each other at once, one is refused.
        await self._roles.lock(ADMINISTRATOR)
        if await self._accounts.count_other_administrators(account_id) == 0:
            raise LastAdministratorError

    async def require_no_less(self, actor: Actor, account_id: int) -> None:
        """Refuse an actor to get hold of an account that may do more than they may, such as by its email address.

        Raises:
            ForbiddenError: It may.
        """
        if actor.is_account(account_id) or actor.may(Permission.ROLES_MANAGE):
            return
        if not await self._accounts.permissions_of(account_id) <= actor.effective:
            raise ForbiddenError("That account may do more than yours.")
