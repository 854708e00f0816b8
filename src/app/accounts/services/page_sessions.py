from datetime import UTC, datetime

from app.accounts.daos import SessionDao, SessionTokenDao
from app.accounts.limits import VISITORS
from app.accounts.schemas.internal import PageRow
from app.accounts.schemas.kinds import SessionState, TokenKind
from app.accounts.services.authentication import all_permissions
from app.accounts.services.seen import LastSeen
from app.accounts.services.sessions import Way, lifetimes
from app.security import Actor
from app.settings import AccountSettings
from carboy.limits.services import RateLimiter, network_of
from carboy.security.actor import ActorKind, Credentials
from carboy.security.tokens import Token, Tokens
from carboy.services import Service, UnitOfWork, read_only, transactional
from carboy.web.csrf import secret_of
from carboy.web.pages import PageSession


class AccountPageSessions(Service):
    """The sessions of browsers: of visitors, of those whose login waits for a second factor, and of those who are in.

    To find one costs one statement and no write: when it was last seen is written beside the requests.
    """

    def __init__(
        self,
        unit_of_work: UnitOfWork,
        sessions: SessionDao,
        session_tokens: SessionTokenDao,
        tokens: Tokens,
        last_seen: LastSeen,
        limiter: RateLimiter,
        settings: AccountSettings,
    ) -> None:
        super().__init__(unit_of_work)
        self._sessions = sessions
        self._session_tokens = session_tokens
        self._tokens = tokens
        self._last_seen = last_seen
        self._limiter = limiter
        self._settings = settings

    async def resume(self, credentials: Credentials) -> PageSession | None:
        """Return the session of a cookie; None if there is none, it has ended, or its account is disabled."""
        token = None if credentials.cookie is None else self._tokens.parse(credentials.cookie)
        if token is None:
            return None
        now = datetime.now(UTC)
        row = await self._find(token, now)
        if row is None:
            return None
        self._last_seen.note("session", row, now, credentials.address)
        return PageSession(
            actor=_actor(row, credentials), csrf_secret=secret_of(token.reveal()), flashes=row.flashes, row=row
        )

    async def begin(self, credentials: Credentials) -> tuple[PageSession, str]:
        """Begin the session of a visitor, which carries forms until the login ends it.

        Raises:
            RateLimitedError: There were too many from this network.
        """
        await self._limiter.hit(VISITORS, network_of(credentials.address))
        token = self._tokens.new(TokenKind.COOKIE)
        row = await self._begin(token, credentials)
        session = PageSession(actor=_actor(row, credentials), csrf_secret=secret_of(token.reveal()), row=row)
        return session, token.reveal()

    @transactional
    async def keep_flashes(self, session: PageSession, flashes: str | None) -> None:
        """Store the messages that the next page is to show; None once they were shown."""
        row: PageRow = session.row
        await self._sessions.set_flashes(row.credential_id, flashes)

    @read_only
    async def _find(self, token: Token, now: datetime) -> PageRow | None:
        return await self._sessions.find_page(token.digest, now)

    @transactional
    async def _begin(self, token: Token, credentials: Credentials) -> PageRow:
        now = datetime.now(UTC)
        idle, absolute = lifetimes(self._settings, Way.PAGE)
        values = {
            "state": SessionState.PRE,
            "address": credentials.address,
            "agent": credentials.agent,
            "authenticated_at": now,
            "last_seen_at": now,
            "idle_seconds": int(idle.total_seconds()),
            "idle_expires_at": now + idle,
            "expires_at": now + absolute,
        }
        session = await self._sessions.of_all().add(values)
        await self._session_tokens.add(
            {"session_id": session.id, "kind": TokenKind.COOKIE, "digest": token.digest, "expires_at": now + absolute}
        )
        return PageRow(
            credential_id=session.id,
            state=session.state,
            flashes=None,
            last_seen_at=now,
            idle_seconds=int(idle.total_seconds()),
            has_second_factor=False,
            authenticated_at=now,
            account_id=None,
            kind=None,
            user_id=None,
            permissions=None,
        )


def _actor(row: PageRow, credentials: Credentials) -> Actor:
    if row.state is not SessionState.FULL or row.kind is None:
        return Actor(
            kind=ActorKind.ANONYMOUS,
            session_id=row.credential_id,
            address=credentials.address,
            agent=credentials.agent,
        )
    return Actor(
        kind=ActorKind(row.kind.value),
        account_id=row.account_id,
        permissions=all_permissions(row.kind.value, row.permissions),
        credential=f"session {row.credential_id}",
        user_id=row.user_id,
        session_id=row.credential_id,
        has_second_factor=row.has_second_factor,
        authenticated_at=row.authenticated_at,
        address=credentials.address,
        agent=credentials.agent,
    )
