from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Executable, bindparam, delete, select

from app.accounts.errors import InvalidOneTimeTokenError
from app.accounts.models import OneTimeToken
from app.accounts.schemas.internal import OneTimeTokenRow
from app.accounts.schemas.kinds import Purpose
from carboy.daos.base import Dao
from carboy.errors import NotFoundError
from carboy.schemas.emails import fold_email


class OneTimeTokenDao(Dao[OneTimeTokenRow]):
    model, record, not_found = OneTimeToken, OneTimeTokenRow, NotFoundError

    async def look(self, purpose: Purpose, digest: str, now: datetime) -> OneTimeTokenRow:
        """Return a token that can still be used.

        Raises:
            InvalidOneTimeTokenError: It is unknown, was used, has expired, or is for something else.
        """
        found = await self._find_by(purpose=purpose, digest=digest)
        if found is None or found.expires_at <= now:
            raise InvalidOneTimeTokenError
        return found

    async def take(self, purpose: Purpose, digest: str, now: datetime) -> OneTimeTokenRow:
        """Return a token and delete it: of two who do so at once, one gets it.

        Raises:
            InvalidOneTimeTokenError: As for `look`.
        """
        found = await self.look(purpose, digest, now)
        await self.delete(found.id)
        return found

    async def delete_of(self, account_id: int, purposes: Iterable[Purpose]) -> None:
        """Delete what an account has been sent: it is bound to what has changed."""
        parameters = {"account_id": account_id, "purposes": [*purposes]}
        await self._database.execute(self._prepared(_delete_of), parameters, writes=True)

    async def delete_invitations(self, email_key: str) -> None:
        """Delete the invitations to an address, given as `fold_email` spells it."""
        found = await self._database.execute(self._prepared(_invitations), {"purpose": Purpose.INVITE})
        for row in found:
            if row.email is not None and fold_email(row.email) == email_key:
                await self.delete(row.id)

    async def delete_unused(self, purpose: Purpose) -> None:
        await self._database.execute(self._prepared(_delete_purpose), {"purpose": purpose}, writes=True)


def _delete_of() -> Executable:
    purposes = OneTimeToken.purpose.in_(bindparam("purposes", expanding=True))
    return delete(OneTimeToken).where(OneTimeToken.account_id == bindparam("account_id"), purposes)


def _delete_purpose() -> Executable:
    return delete(OneTimeToken).where(OneTimeToken.purpose == bindparam("purpose"))


def _invitations() -> Executable:
    return select(OneTimeToken.id, OneTimeToken.email).where(OneTimeToken.purpose == bindparam("purpose"))
