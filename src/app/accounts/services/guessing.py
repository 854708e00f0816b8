from app.accounts.daos import SessionDao
from app.accounts.limits import GUESSES_BY_ALL, LOGIN, LOGIN_FROM_UNKNOWN
from app.accounts.schemas.internal import LoginRow
from app.audit.schemas import Event
from app.audit.services import Audit, audited
from app.security import Actor
from carboy.limits.services import RateLimiter, network_of
from carboy.schemas.text import fold
from carboy.services import Service, UnitOfWork, read_only

NOBODY = 0
"""The id of no account."""


class Guessing(Service):
    """Bounds how often the password of one account is guessed, and leaves its owner a way in (ASVS 5.0 6.1.1).

    Names that nobody has count like others, and cost the same look-up, so that neither the limit nor the time tells
    anything. From a network that the owner has a session from, only the guesses of that network count: nobody
    elsewhere can lock the owner out.
    """

    def __init__(self, unit_of_work: UnitOfWork, sessions: SessionDao, limiter: RateLimiter, audit: Audit) -> None:
        super().__init__(unit_of_work)
        self._sessions = sessions
        self._limiter = limiter
        self._audit = audit

    async def count(self, actor: Actor, login: str, found: LoginRow | None) -> None:
        """Count one more guess; call it outside of transactions, before the password is verified.

        Raises:
            RateLimitedError: It is too much.
            LimitsUnavailableError: It cannot be counted.
        """
        network = network_of(actor.address)
        await self._limiter.hit(LOGIN, *_key(login, found), network)
        if network not in await self._networks(NOBODY if found is None else found.account_id):
            await self._limiter.hit(LOGIN_FROM_UNKNOWN, *_key(login, found))
            # The last, so that a flood of guesses at one name ends before it: it does not use up everybody's.
            await self._limiter.hit(GUESSES_BY_ALL)

    async def forgive(self, found: LoginRow) -> None:
        """Forget the guesses from unknown networks: the owner has shown that the account is theirs."""
        await self._limiter.forgive(LOGIN_FROM_UNKNOWN, *_key("", found))

    async def unlock(self, actor: Actor, found: LoginRow) -> None:
        """Forget the guesses from unknown networks, for whoever runs a command on the server."""
        await self.forgive(found)
        await self._note(actor, found.account_id)

    @audited
    async def _note(self, actor: Actor, account_id: int) -> None:
        await self._audit.record(Event.ACCOUNT_UNLOCKED, actor, subject_id=account_id)

    @read_only
    async def _networks(self, account_id: int) -> set[str]:
        return {network_of(address) for address in await self._sessions.addresses_of(account_id)}


def _key(login: str, found: LoginRow | None) -> tuple[str, str]:
    # One account has two names, and one count.
    return ("name", fold(login)) if found is None else ("account", str(found.account_id))
