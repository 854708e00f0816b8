from datetime import UTC, datetime, timedelta

from app.accounts.daos import OneTimeTokenDao
from app.accounts.errors import InvalidOneTimeTokenError
from app.accounts.schemas.internal import OneTimeTokenRow
from app.accounts.schemas.kinds import Purpose
from carboy.security.tokens import Token, Tokens
from carboy.services import Service, UnitOfWork, read_only

KIND = "link"


class OneTimeTokens(Service):
    """Makes and takes the tokens of links. Each works once, for one purpose, and not for long.

    Making and taking join the unit of work of what they are for.
    """

    def __init__(self, unit_of_work: UnitOfWork, rows: OneTimeTokenDao, tokens: Tokens) -> None:
        super().__init__(unit_of_work)
        self._rows = rows
        self._tokens = tokens

    async def make(
        self,
        purpose: Purpose,
        valid: timedelta,
        *,
        account_id: int | None = None,
        email: str | None = None,
        role: str | None = None,
    ) -> Token:
        """Make a token. Those that its account was given before for this purpose work no longer."""
        now = datetime.now(UTC)
        if account_id is not None:
            await self._rows.delete_of(account_id, [purpose])
        token = self._tokens.new(KIND)
        values = {"purpose": purpose, "digest": token.digest, "account_id": account_id, "email": email, "role": role}
        await self._rows.add({**values, "expires_at": now + valid})
        return token

    async def take(self, purpose: Purpose, text: str) -> OneTimeTokenRow:
        """Use a token up, and return what it was made for.

        Raises:
            InvalidOneTimeTokenError: It is unknown, was used, has expired, or is for something else.
        """
        return await self._rows.take(purpose, self._digest(text), datetime.now(UTC))

    @read_only
    async def look(self, purpose: Purpose, text: str) -> OneTimeTokenRow:
        """Return what a token was made for, and leave it as it is.

        Raises:
            InvalidOneTimeTokenError: As for `take`.
        """
        return await self._rows.look(purpose, self._digest(text), datetime.now(UTC))

    async def drop(self, account_id: int, *purposes: Purpose) -> None:
        """Delete what an account was given: the password or address that it is bound to has changed."""
        await self._rows.delete_of(account_id, purposes)

    async def drop_all(self, purpose: Purpose) -> None:
        await self._rows.delete_unused(purpose)

    def _digest(self, text: str) -> str:
        token = self._tokens.parse(text, kind=KIND)
        if token is None:
            raise InvalidOneTimeTokenError
        return token.digest
