from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from app.accounts.daos import AccountDao, SessionDao, SessionTokenDao
from app.accounts.errors import InvalidRefreshTokenError
from app.accounts.schemas.auth import Tokens as IssuedTokens
from app.accounts.schemas.internal import SessionTokenRow
from app.accounts.schemas.kinds import SessionState, TokenKind
from app.accounts.schemas.sessions import SessionQuery, SessionRead
from app.audit.schemas import Event
from app.audit.services import Audit, audited
from app.security import Actor
from app.settings import AccountSettings
from carboy.schemas.base import Page
from carboy.security.tokens import Token, Tokens
from carboy.services import Cursors, Service, UnitOfWork, read_only

GRACE = timedelta(seconds=5)
"""How long after its use a refresh token may be sent again, as clients do that send two requests at once."""


class Way(StrEnum):
    """How a session is used: it decides what its client holds, and how long it lives."""

    API = "api"
    PAGE = "page"


def lifetimes(settings: AccountSettings, way: Way) -> tuple[timedelta, timedelta]:
    """Return how long a session may be idle, and how long it may last in all."""
    if way is Way.PAGE:
        return timedelta(minutes=settings.page_idle_minutes), timedelta(hours=settings.page_hours)
    return timedelta(days=settings.refresh_days), timedelta(days=settings.session_days)


@dataclass(frozen=True, slots=True)
class Begun:
    """A session that has begun, and what its client gets.

    Attributes:
        session_id: The session's id.
        tokens: For a client of the API.
        cookie: For a browser; while the second factor is missing, it is what to confirm the login with.
        state: How far the login has come.
    """

    session_id: int
    tokens: IssuedTokens
    cookie: Token | None = None
    state: SessionState = SessionState.FULL


class Sessions:
    """Begins sessions and gives tokens for them, within the unit of work of a login."""

    def __init__(
        self, sessions: SessionDao, session_tokens: SessionTokenDao, tokens: Tokens, settings: AccountSettings
    ) -> None:
        self._sessions = sessions
        self._session_tokens = session_tokens
        self._tokens = tokens
        self._settings = settings

    async def begin(
        self,
        actor: Actor,
        account_id: int,
        way: Way,
        *,
        state: SessionState = SessionState.FULL,
        device: str | None = None,
        scopes: str | None = None,
    ) -> Begun:
        """Begin a session. One that waits for a second factor gets a token for that, and nothing else.

        That of the browser ends, whoever had logged in, so that its token is worth nothing (ASVS 5.0 7.2.4).
        """
        now = datetime.now(UTC)
        if way is Way.PAGE and actor.session_id is not None:
            await self._sessions.end(actor.session_id)
        await self._sessions.end_oldest(account_id, keep=self._settings.max_sessions - 1)
        idle, absolute = lifetimes(self._settings, way)
        session = await self._sessions.of(account_id).add(
            {
                "state": state,
                "device": device,
                "address": actor.address,
                "agent": actor.agent,
                "scopes": scopes,
                "authenticated_at": now,
                "last_seen_at": now,
                "idle_seconds": int(idle.total_seconds()),
                "idle_expires_at": now + idle,
                "expires_at": now + absolute,
            }
        )
        if state is SessionState.HALF:
            return await self._half(session.id, way, now)
        return await self.give(session.id, way, session.expires_at)

    async def give(self, session_id: int, way: Way, until: datetime, *, parent: SessionTokenRow | None = None) -> Begun:
        """Give new tokens for a session, none of which outlives it."""
        now = datetime.now(UTC)
        if way is Way.PAGE:
            cookie = await self._new(session_id, TokenKind.COOKIE, until)
            return Begun(session_id, _no_tokens(until - now), cookie)
        access_until = min(until, now + timedelta(minutes=self._settings.access_minutes))
        refresh_until = min(until, now + timedelta(days=self._settings.refresh_days))
        access = await self._new(session_id, TokenKind.ACCESS, access_until)
        refresh = await self._new(session_id, TokenKind.REFRESH, refresh_until, parent=parent)
        return Begun(
            session_id,
            IssuedTokens(
                access_token=access.reveal(),
                expires_in=int((access_until - now).total_seconds()),
                refresh_token=refresh.reveal(),
            ),
        )

    async def _half(self, session_id: int, way: Way, now: datetime) -> Begun:
        valid = timedelta(minutes=self._settings.half_login_minutes)
        token = await self._new(session_id, TokenKind.HALF, now + valid)
        if way is Way.PAGE:
            return Begun(session_id, _no_tokens(valid), token, SessionState.HALF)
        return Begun(
            session_id,
            IssuedTokens(
                access_token=None,
                expires_in=int(valid.total_seconds()),
                refresh_token=None,
                second_factor_token=token.reveal(),
            ),
        )

    async def _new(
        self, session_id: int, kind: TokenKind, until: datetime, *, parent: SessionTokenRow | None = None
    ) -> Token:
        token = self._tokens.new(kind.value)
        parent_id = None if parent is None else parent.id
        await self._session_tokens.add(
            {
                "session_id": session_id,
                "kind": kind,
                "digest": token.digest,
                "parent_id": parent_id,
                "expires_at": until,
            }
        )
        return token


def _no_tokens(valid: timedelta) -> IssuedTokens:
    return IssuedTokens(access_token=None, expires_in=int(valid.total_seconds()), refresh_token=None)


class SessionService(Service):
    """Refreshes, lists and ends sessions."""

    def __init__(
        self,
        unit_of_work: UnitOfWork,
        accounts: AccountDao,
        sessions: SessionDao,
        session_tokens: SessionTokenDao,
        starting: Sessions,
        tokens: Tokens,
        cursors: Cursors,
        audit: Audit,
    ) -> None:
        super().__init__(unit_of_work)
        self._accounts = accounts
        self._sessions = sessions
        self._session_tokens = session_tokens
        self._starting = starting
        self._tokens = tokens
        self._cursors = cursors
        self._audit = audit

    async def refresh(self, actor: Actor, text: str) -> IssuedTokens:
        """Return new tokens for a refresh token, which is used up (RFC 9700 section 4.14.2).

        A token that is used again, later than two requests at once would, was stolen from somebody: its session ends.
        That stays so although this request fails.

        Raises:
            InvalidRefreshTokenError: The token is unknown, was used, or its session is over.
        """
        token = self._tokens.parse(text, kind=TokenKind.REFRESH)
        issued = None if token is None else await self._refresh(actor, token.digest)
        if issued is None:
            raise InvalidRefreshTokenError
        return issued

    @audited
    async def _refresh(self, actor: Actor, digest: str) -> IssuedTokens | None:
        now = datetime.now(UTC)
        used = await self._session_tokens.consume(digest, now)
        if used is None:
            used = await self._session_tokens.find_by_digest(digest)
            if used is None or used.kind is not TokenKind.REFRESH or used.expires_at <= now:
                await self._audit.record(Event.LOGIN_FAILED, actor, reason="refresh token")
                return None
            if not await self._is_in_grace(used, now):
                await self._end_stolen(actor, used)
                return None
        session = await self._sessions.of_all().find(used.session_id)
        if session is None or session.expires_at <= now or not await self._is_enabled(session.id):
            await self._audit.record(Event.LOGIN_FAILED, actor, reason="session over")
            return None
        await self._session_tokens.consume_siblings(used, now)
        begun = await self._starting.give(session.id, Way.API, session.expires_at, parent=used)
        owner = await self._sessions.owner_of(session.id)
        await self._audit.record(Event.SESSION_REFRESHED, actor, subject_id=owner, target=f"session {session.id}")
        return begun.tokens

    async def _is_enabled(self, session_id: int) -> bool:
        owner = await self._sessions.owner_of(session_id)
        return owner is not None and (await self._accounts.get(owner)).disabled_at is None

    async def _is_in_grace(self, used: SessionTokenRow, now: datetime) -> bool:
        is_recent = used.consumed_at is not None and now - used.consumed_at <= GRACE
        return is_recent and not await self._session_tokens.has_used_child(used.id)

    async def _end_stolen(self, actor: Actor, used: SessionTokenRow) -> None:
        owner = await self._sessions.owner_of(used.session_id)
        await self._sessions.of_all().delete(used.session_id)
        await self._audit.record(
            Event.REFRESH_TOKEN_REPLAYED, actor, subject_id=owner, target=f"session {used.session_id}"
        )

    @read_only
    async def list_own(self, actor: Actor, query: SessionQuery) -> Page[SessionRead]:
        """Return one page of the actor's sessions; some may have expired since.

        Raises:
            InvalidCursorError: The cursor is forged, or belongs to another list or sort.
        """
        return await self._cursors.page(self._sessions.of(actor.own_account), query)

    @audited
    async def end_own(self, actor: Actor, session_id: int) -> None:
        """End one of the actor's sessions: its very next request is refused.

        Raises:
            SessionNotFoundError: There is none, or it is somebody else's.
        """
        await self._sessions.of(actor.own_account).delete(session_id)
        await self._audit.record(
            Event.SESSION_ENDED, actor, subject_id=actor.account_id, target=f"session {session_id}"
        )

    @audited
    async def end_others(self, actor: Actor) -> None:
        """End all of the actor's sessions but this one."""
        count = await self._sessions.end_all(actor.own_account, but=actor.session_id)
        await self._audit.record(Event.SESSION_ENDED, actor, subject_id=actor.account_id, count=count)

    @audited
    async def log_out(self, actor: Actor) -> None:
        """End the session that the actor came with."""
        if actor.session_id is not None:
            await self._sessions.of(actor.own_account).delete(actor.session_id)
        await self._audit.record(Event.LOGOUT, actor, subject_id=actor.account_id)

    @audited
    async def end_all_of(self, actor: Actor, account_id: int) -> None:
        """End all sessions of an account, for an administrator.

        Raises:
            AccountNotFoundError: There is no such account.
        """
        await self._accounts.lock(account_id)
        count = await self._sessions.end_all(account_id)
        await self._audit.record(Event.SESSION_ENDED, actor, subject_id=account_id, count=count)
