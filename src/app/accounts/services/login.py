from datetime import UTC, datetime

from app.accounts.daos import AccountDao, CredentialDao, SessionDao, SessionTokenDao
from app.accounts.errors import SessionRequiredError, WrongCodeError, WrongCredentialsError
from app.accounts.schemas.auth import Confirmation, Login, SecondStep
from app.accounts.schemas.common import spell_scopes
from app.accounts.schemas.internal import LoginRow
from app.accounts.schemas.kinds import CredentialKind, SessionState, TokenKind
from app.accounts.services.factors import SecondFactors
from app.accounts.services.guessing import Guessing
from app.accounts.services.sessions import Begun, Sessions, Way
from app.audit.schemas import Event
from app.audit.services import Audit, audited
from app.security import Actor
from carboy.security.passwords import PasswordHasher
from carboy.security.tokens import Tokens
from carboy.services import Service, UnitOfWork, read_only

MAX_FAILURES = 5
"""Wrong codes after which a login has to begin anew."""
HALF_STEPS = (TokenKind.HALF,)
GIVEN = (TokenKind.ACCESS, TokenKind.REFRESH, TokenKind.COOKIE)


class LoginService(Service):
    """Lets people in.

    An unknown name, a wrong password, an account without one and a disabled account take the same path: one look-up,
    one hash, one audit event, and the same error (ASVS 5.0 6.3.8). A password is verified outside of transactions, so
    that no login keeps a connection while it is hashed.
    """

    def __init__(
        self,
        unit_of_work: UnitOfWork,
        accounts: AccountDao,
        credentials: CredentialDao,
        sessions: SessionDao,
        session_tokens: SessionTokenDao,
        starting: Sessions,
        second_factors: SecondFactors,
        hasher: PasswordHasher,
        tokens: Tokens,
        guessing: Guessing,
        audit: Audit,
    ) -> None:
        super().__init__(unit_of_work)
        self._accounts = accounts
        self._credentials = credentials
        self._sessions = sessions
        self._session_tokens = session_tokens
        self._starting = starting
        self._second_factors = second_factors
        self._hasher = hasher
        self._tokens = tokens
        self._guessing = guessing
        self._audit = audit

    async def log_in(self, actor: Actor, given: Login, way: Way = Way.API) -> Begun:
        """Begin a session; where a second factor is on, one that waits for it.

        Raises:
            WrongCredentialsError: The name or the password is wrong, or the account is disabled.
            PasswordsBusyError: Too many passwords are being checked.
            RateLimitedError: There were too many attempts.
        """
        found = await self._look_up(given.login)
        await self._guessing.count(actor, given.login, found)
        encoded = None if found is None or found.is_disabled else found.password
        is_right = await self._hasher.verify(encoded, given.password)
        if found is None or encoded is None or not is_right:
            await self._refuse(actor, found)
            raise WrongCredentialsError
        begun = await self._admit(actor, found, given, way)
        if begun is None:
            raise WrongCredentialsError
        if self._hasher.needs_rehash(encoded):
            await self._rehash(actor, found, await self._hasher.hash(given.password))
        return begun

    async def confirm_login(self, actor: Actor, given: SecondStep, way: Way = Way.API) -> Begun:
        """Go on with a login that waits for its second factor.

        Raises:
            WrongCodeError: The code is wrong or was used before, or the login was begun too long ago.
        """
        token = self._tokens.parse(given.token, kind=TokenKind.HALF)
        begun = None if token is None else await self._finish(actor, token.digest, given.code, way)
        if begun is None:
            raise WrongCodeError
        return begun

    async def confirm(self, actor: Actor, given: Confirmation, way: Way = Way.API) -> Begun:
        """Log in anew within a session, which then counts as fresh. Its old tokens are used up (ASVS 5.0 7.2.4).

        Raises:
            ForbiddenError: The actor came by no session.
            WrongCredentialsError: The password is wrong.
            WrongCodeError: The code is missing or wrong.
        """
        found = await self._look_up_own(actor)
        await self._guessing.count(actor, "", found)
        encoded = None if found is None else found.password
        is_right = await self._hasher.verify(encoded, given.password)
        if found is None or not is_right:
            await self._refuse(actor, found)
            raise WrongCredentialsError
        begun = await self._renew(actor, found, given.code, way)
        if begun is None:
            raise WrongCodeError
        return begun

    @read_only
    async def _look_up(self, login: str) -> LoginRow | None:
        return await self._accounts.find_login(login)

    @read_only
    async def _look_up_own(self, actor: Actor) -> LoginRow | None:
        return await self._accounts.find_login_of(actor.own_account)

    @audited
    async def _refuse(self, actor: Actor, found: LoginRow | None) -> None:
        # The name as it was typed is not kept: people type passwords there.
        subject = None if found is None else found.account_id
        await self._audit.record(Event.LOGIN_FAILED, actor, subject_id=subject, factor="password")

    @audited
    async def _admit(self, actor: Actor, found: LoginRow, given: Login, way: Way) -> Begun | None:
        # The account is locked until the end, so that no change of its password can come between.
        await self._accounts.lock(found.account_id)
        now = await self._accounts.find_login_of(found.account_id)
        if now is None or now.is_disabled or now.password != found.password:
            await self._audit.record(Event.LOGIN_FAILED, actor, subject_id=found.account_id, factor="password")
            return None
        state = SessionState.HALF if now.has_second_factor else SessionState.FULL
        begun = await self._starting.begin(
            actor, now.account_id, way, state=state, device=given.device, scopes=spell_scopes(given.scopes)
        )
        event = Event.SECOND_FACTOR_ASKED if now.has_second_factor else Event.LOGIN_SUCCEEDED
        target = f"session {begun.session_id}"
        await self._audit.record(event, actor, subject_id=now.account_id, target=target, factor="password")
        return begun

    @audited
    async def _finish(self, actor: Actor, digest: str, code: str, way: Way) -> Begun | None:
        half = await self._sessions.find_half(digest, datetime.now(UTC))
        if half is None:
            await self._audit.record(Event.SECOND_FACTOR_FAILED, actor, reason="no login waits")
            return None
        # Codes for one account are tried one after the other, so that no wrong one goes uncounted.
        await self._accounts.lock(half.account_id)
        half = await self._sessions.find_half(digest, datetime.now(UTC)) or half
        target = f"session {half.session_id}"
        how = await self._second_factors.accept(half.account_id, code)
        if how is None:
            own = self._sessions.of(half.account_id)
            if half.failures + 1 < MAX_FAILURES:
                await own.update(half.session_id, {"failures": half.failures + 1})
            else:
                await own.delete(half.session_id)
            await self._audit.record(Event.SECOND_FACTOR_FAILED, actor, subject_id=half.account_id, target=target)
            return None
        await self._session_tokens.delete_kinds(half.session_id, HALF_STEPS)
        session = await self._sessions.of(half.account_id).update(
            half.session_id,
            {"state": SessionState.FULL, "has_second_factor": True, "authenticated_at": datetime.now(UTC)},
        )
        factor = "recovery code" if how is Event.RECOVERY_CODE_USED else "totp"
        await self._audit.record(Event.LOGIN_SUCCEEDED, actor, subject_id=half.account_id, target=target, factor=factor)
        return await self._starting.give(session.id, way, session.expires_at)

    @audited
    async def _renew(self, actor: Actor, found: LoginRow, code: str | None, way: Way) -> Begun | None:
        if actor.session_id is None:
            raise SessionRequiredError
        await self._accounts.lock(found.account_id)
        changes: dict[str, object] = {"authenticated_at": datetime.now(UTC)}
        if found.has_second_factor:
            if code is None or await self._second_factors.accept(found.account_id, code) is None:
                await self._audit.record(Event.SECOND_FACTOR_FAILED, actor, subject_id=found.account_id)
                return None
            changes["has_second_factor"] = True
        session = await self._sessions.of(found.account_id).update(actor.session_id, changes)
        await self._session_tokens.delete_kinds(session.id, GIVEN)
        await self._audit.record(Event.LOGIN_CONFIRMED, actor, subject_id=found.account_id)
        return await self._starting.give(session.id, way, session.expires_at)

    @audited
    async def _rehash(self, actor: Actor, found: LoginRow, encoded: str) -> None:
        """Store a password with today's parameters, unless it has been changed meanwhile."""
        await self._accounts.lock(found.account_id)
        own = self._credentials.of(found.account_id)
        present = await own.find_kind(CredentialKind.PASSWORD)
        if present is not None and present.secret == found.password:
            await own.update(present.id, {"secret": encoded})
        await self._audit.record(Event.PASSWORD_REHASHED, actor, subject_id=found.account_id)
