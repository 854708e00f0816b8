from typing import Any

from sqlalchemy import Executable, Select, bindparam, case, exists, func, or_, select, true
from sqlalchemy.orm import aliased

from app.accounts.daos.permissions import permissions_of_account
from app.accounts.errors import AccountNotFoundError, ServiceNameTakenError
from app.accounts.models import Account, Credential, Role, account_roles
from app.accounts.schemas.accounts import AccountQuery, AccountRead
from app.accounts.schemas.internal import AccountKey, LoginRow
from app.accounts.schemas.kinds import AccountKind, CredentialKind
from app.security import ADMINISTRATOR
from app.users.models import User
from carboy.daos.base import Dao
from carboy.daos.statements import possible_id
from carboy.schemas.emails import fold_email
from carboy.schemas.text import fold


class AccountDao(Dao[AccountRead]):
    model, record, not_found, query = Account, AccountRead, AccountNotFoundError, AccountQuery
    conflicts = {"name_key": ServiceNameTakenError}

    async def find_by_user(self, user_id: int) -> AccountRead | None:
        return await self._find_by(user_id=user_id)

    async def lock(self, account_id: int) -> None:
        """Require that there is an account. Within a transaction nobody else can change it until that ends.

        Raises:
            AccountNotFoundError: There is none.
        """
        if await self.find_as(AccountKey, id=possible_id(account_id)) is None:
            raise AccountNotFoundError

    async def lock_of_user(self, user_id: int) -> int:
        """Return the id of a user's account, which is locked as `lock` does.

        Raises:
            AccountNotFoundError: There is no such user.
        """
        found = await self.find_as(AccountKey, user_id=user_id)
        if found is None:
            raise AccountNotFoundError
        return found.id

    async def find_login(self, login: str) -> LoginRow | None:
        """Return the person who has this as email address or username; an address comes first."""
        parameters = {"username": fold(login), "email": fold_email(login)}
        rows = await self._database.execute(self._prepared(_find_login), parameters)
        return LoginRow(*rows[0]) if rows else None

    async def find_login_of(self, account_id: int) -> LoginRow | None:
        rows = await self._database.execute(self._prepared(_find_login_of), {"account_id": account_id})
        return LoginRow(*rows[0]) if rows else None

    async def permissions_of(self, account_id: int) -> frozenset[str]:
        """Return what an account may do with a second factor."""
        [(found,)] = await self._database.execute(self._prepared(_permissions_of), {"account_id": account_id})
        return frozenset((found or "").split())

    async def is_administrator(self, account_id: int) -> bool:
        """Tell whether an account has the role of administrators and is not disabled."""
        parameters = {"account_id": account_id, "role": ADMINISTRATOR}
        return bool(await self._database.execute(self._prepared(_is_administrator), parameters))

    async def count_other_administrators(self, account_id: int | None) -> int:
        """Return how many people are administrators who can log in, without this account."""
        parameters = {"account_id": account_id or 0, "role": ADMINISTRATOR}
        [(number,)] = await self._database.execute(self._prepared(_count_other_administrators), parameters)
        return int(number)


def _logins() -> Select[*tuple[Any, ...]]:
    factor = aliased(Credential)
    second_factor = exists().where(
        factor.account_id == Account.id, factor.kind == CredentialKind.TOTP, factor.confirmed_at.is_not(None)
    )
    password = (Credential.account_id == Account.id) & (Credential.kind == CredentialKind.PASSWORD)
    return (
        select(
            Account.id,
            User.id,
            User.username,
            User.email,
            User.full_name,
            Account.disabled_at.is_not(None),
            Account.email_verified_at.is_not(None),
            Credential.secret,
            second_factor,
        )
        .join(User, User.id == Account.user_id)
        .outerjoin(Credential, password)
    )


def _find_login() -> Executable:
    by_email = User.email_key == bindparam("email")
    found = _logins().where(or_(by_email, User.username_key == bindparam("username")))
    return found.order_by(case((by_email, 0), else_=1)).limit(1)


def _find_login_of() -> Executable:
    return _logins().where(Account.id == bindparam("account_id"))


def _permissions_of() -> Executable:
    return select(permissions_of_account(true())).where(Account.id == bindparam("account_id"))


def _is_administrator() -> Executable:
    return _administrators(select(Account.id)).where(Account.id == bindparam("account_id"))


def _count_other_administrators() -> Executable:
    others = _administrators(select(func.count())).where(Account.id != bindparam("account_id"))
    return others.where(Account.kind == AccountKind.PERSON)


def _administrators(selected: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
    return (
        selected.select_from(Account)
        .join(account_roles, account_roles.c.accounts_id == Account.id)
        .join(Role, Role.id == account_roles.c.roles_id)
        .where(Role.name == bindparam("role"), Account.disabled_at.is_(None))
    )
