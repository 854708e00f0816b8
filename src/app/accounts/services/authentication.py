"""Finds out who acts: one indexed look-up for each request, and no write in its way."""

from datetime import UTC, datetime
from functools import lru_cache

from app.accounts.daos import ApiKeyDao, SessionDao
from app.accounts.schemas.common import read_scopes
from app.accounts.schemas.internal import ActorRow
from app.accounts.schemas.kinds import TokenKind
from app.accounts.services.seen import LastSeen
from app.security import OWN, Actor
from carboy.security.actor import ActorKind, Credentials
from carboy.security.errors import InvalidTokenError
from carboy.security.tokens import Token, Tokens
from carboy.services import Service, UnitOfWork, read_only

KEY = "key"
"""The kind of an API key's text."""
KINDS = {kind.value: kind for kind in ActorKind}


class AccountAuthenticator(Service):
    """Knows the tokens of sessions and the API keys. What is revoked is refused from the very next request on."""

    def __init__(
        self, unit_of_work: UnitOfWork, sessions: SessionDao, keys: ApiKeyDao, tokens: Tokens, last_seen: LastSeen
    ) -> None:
        super().__init__(unit_of_work)
        self._sessions = sessions
        self._keys = keys
        self._tokens = tokens
        self._last_seen = last_seen

    async def authenticate(self, credentials: Credentials) -> Actor:
        """Return who acts; an anonymous actor if the request shows nothing.

        Raises:
            InvalidTokenError: What it shows is malformed, unknown, expired or revoked, or its account is disabled.
        """
        if credentials.bearer is None:
            return Actor(kind=ActorKind.ANONYMOUS, address=credentials.address, agent=credentials.agent)
        # A mistyped token fails here, without a query.
        token = self._tokens.parse(credentials.bearer)
        if token is None:
            raise InvalidTokenError
        now = datetime.now(UTC)
        is_key = token.kind == KEY
        row = await self._find(token, now)
        if row is None:
            raise InvalidTokenError
        self._last_seen.note("key" if is_key else "session", row, now, credentials.address)
        return Actor(
            kind=KINDS[row.kind],
            account_id=row.account_id,
            permissions=all_permissions(row.kind, row.permissions),
            scopes=None if row.scopes is None else read_scopes(row.scopes),
            credential=f"{'api key' if is_key else 'session'} {row.credential_id}",
            user_id=row.user_id,
            session_id=None if is_key else row.credential_id,
            has_second_factor=row.has_second_factor,
            authenticated_at=row.authenticated_at,
            address=credentials.address,
            agent=credentials.agent,
        )

    @read_only
    async def _find(self, token: Token, now: datetime) -> ActorRow | None:
        if token.kind == KEY:
            return await self._keys.find_actor(token.digest, now)
        if token.kind == TokenKind.ACCESS:
            return await self._sessions.find_actor(token.digest, now)
        return None


@lru_cache(maxsize=256)
def all_permissions(kind: str, stored: str | None) -> frozenset[str]:
    """Return what an account may do, of the permissions that are stored; most accounts have one of a few sets."""
    return OWN[ActorKind(kind)] | frozenset((stored or "").split())
