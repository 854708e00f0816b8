from datetime import UTC, datetime

from app.accounts.daos import AccountDao, CredentialDao, SessionDao
from app.accounts.errors import SecondFactorError, WrongCodeError
from app.accounts.mails import Post, SecondFactorChanged
from app.accounts.schemas.accounts import AccountRead
from app.accounts.schemas.internal import CredentialRow
from app.accounts.schemas.kinds import CredentialKind
from app.accounts.schemas.me import RecoveryCodes, TotpPrepared
from app.audit.schemas import Event
from app.audit.services import Audit, audited
from app.security import Actor
from app.settings import AccountSettings
from carboy.security import totp
from carboy.security.encryption import Cipher
from carboy.services import Service, UnitOfWork, read_only

ISSUER = "Carboy"
SECOND_FACTOR = (CredentialKind.TOTP, CredentialKind.RECOVERY)


class SecondFactors:
    """Checks the codes of second factors, within the unit of work of what they are shown for."""

    def __init__(self, credentials: CredentialDao, cipher: Cipher) -> None:
        self._credentials = credentials
        self._cipher = cipher

    async def accept(self, account_id: int, code: str) -> Event | None:
        """Use a code up, and return what happened: None if it is wrong or was used before (ASVS 5.0 6.5.1)."""
        factor = await self._credentials.of(account_id).find_kind(CredentialKind.TOTP)
        if factor is None or factor.confirmed_at is None:
            return None
        if await self.advance(account_id, factor.id, factor.secret, factor.last_step, code):
            return Event.LOGIN_CONFIRMED
        is_used = await self._credentials.use_up(account_id, totp.recovery_digest(code))
        return Event.RECOVERY_CODE_USED if is_used else None

    async def advance(self, account_id: int, credential_id: int, secret: str, last_step: int | None, code: str) -> bool:
        """Accept a code of an authenticator app once."""
        step = totp.accepted_step(self.open(account_id, secret), code, last_step=last_step)
        return step is not None and await self._credentials.advance(credential_id, step)

    def seal(self, account_id: int, seed: str) -> str:
        return self._cipher.encrypt(seed, purpose=f"totp seed of account {account_id}")

    def open(self, account_id: int, sealed: str) -> str:
        return self._cipher.decrypt(sealed, purpose=f"totp seed of account {account_id}")


class FactorService(Service):
    """Turns one's own second factor on and off. Each change needs a fresh login (ASVS 5.0 7.5.1)."""

    def __init__(
        self,
        unit_of_work: UnitOfWork,
        accounts: AccountDao,
        credentials: CredentialDao,
        sessions: SessionDao,
        second_factors: SecondFactors,
        audit: Audit,
        mailer: Post,
        settings: AccountSettings,
    ) -> None:
        super().__init__(unit_of_work)
        self._accounts = accounts
        self._credentials = credentials
        self._sessions = sessions
        self._second_factors = second_factors
        self._audit = audit
        self._mailer = mailer
        self._settings = settings

    @audited
    async def prepare(self, actor: Actor) -> TotpPrepared:
        """Make a new seed. It counts when a first code of it has been shown; until then the old state holds.

        Raises:
            FreshLoginRequiredError: The login was too long ago.
            SecondFactorError: A second factor is on already: turn it off first.
        """
        account, present = await self._look_up(actor)
        if account.user is None or (present is not None and present.confirmed_at is not None):
            raise SecondFactorError
        seed = totp.new_seed()
        sealed = self._second_factors.seal(account.id, seed)
        await self._credentials.of(account.id).put(CredentialKind.TOTP, sealed, confirmed_at=None)
        await self._audit.record(Event.FACTOR_PREPARED, actor, subject_id=account.id)
        return _prepared(seed, account.user.username)

    @read_only
    async def find_prepared(self, actor: Actor) -> TotpPrepared | None:
        """Return the seed that waits for its first code, for a page that is shown again; None if none waits.

        Raises:
            FreshLoginRequiredError: The login was too long ago.
        """
        account, present = await self._look_up(actor)
        if account.user is None or present is None or present.confirmed_at is not None:
            return None
        return _prepared(self._second_factors.open(account.id, present.secret), account.user.username)

    @audited
    async def confirm(self, actor: Actor, code: str) -> RecoveryCodes:
        """Turn the prepared second factor on, and return its recovery codes. The other sessions end.

        Raises:
            FreshLoginRequiredError: The login was too long ago.
            SecondFactorError: None is prepared.
            WrongCodeError: The code is wrong.
        """
        account, present = await self._look_up(actor)
        if account.user is None or present is None or present.confirmed_at is not None:
            raise SecondFactorError
        if not await self._second_factors.advance(account.id, present.id, present.secret, present.last_step, code):
            raise WrongCodeError
        await self._credentials.of(account.id).update(present.id, {"confirmed_at": datetime.now(UTC)})
        codes = await self._new_codes(account.id)
        await self._sessions.end_all(account.id, but=actor.session_id)
        if actor.session_id is not None:
            await self._sessions.of(account.id).update(actor.session_id, {"has_second_factor": True})
        await self._audit.record(Event.FACTOR_ENABLED, actor, subject_id=account.id)
        await self._mailer.send(SecondFactorChanged(to=account.user.email, username=account.user.username, is_on=True))
        return codes

    @audited
    async def make_codes(self, actor: Actor) -> RecoveryCodes:
        """Make new recovery codes; the old ones work no longer.

        Raises:
            FreshLoginRequiredError: The login was too long ago.
            SecondFactorError: There is no second factor.
        """
        account, present = await self._look_up(actor)
        if present is None or present.confirmed_at is None:
            raise SecondFactorError
        codes = await self._new_codes(account.id)
        await self._audit.record(Event.RECOVERY_CODES_MADE, actor, subject_id=account.id)
        return codes

    @audited
    async def disable(self, actor: Actor) -> None:
        """Turn the second factor off. The other sessions end.

        Raises:
            FreshLoginRequiredError: The login was too long ago.
            SecondFactorError: There is none, or the session was begun without it.
        """
        account, present = await self._look_up(actor)
        is_shown = present is not None and (present.confirmed_at is None or actor.has_second_factor)
        if account.user is None or not is_shown:
            raise SecondFactorError
        await self._credentials.delete_kinds(account.id, SECOND_FACTOR)
        await self._sessions.end_all(account.id, but=actor.session_id)
        await self._audit.record(Event.FACTOR_DISABLED, actor, subject_id=account.id)
        await self._mailer.send(SecondFactorChanged(to=account.user.email, username=account.user.username, is_on=False))

    async def _look_up(self, actor: Actor) -> tuple[AccountRead, CredentialRow | None]:
        """Return the actor's account and its second factor, after a fresh login."""
        actor.require_fresh(self._settings.fresh)
        account = await self._accounts.get(actor.own_account)
        return account, await self._credentials.of(account.id).find_kind(CredentialKind.TOTP)

    async def _new_codes(self, account_id: int) -> RecoveryCodes:
        await self._credentials.delete_kinds(account_id, [CredentialKind.RECOVERY])
        codes = totp.new_recovery_codes()
        own, now = self._credentials.of(account_id), datetime.now(UTC)
        for code in codes:
            values = {"kind": CredentialKind.RECOVERY, "secret": totp.recovery_digest(code), "confirmed_at": now}
            await own.add(values)
        return RecoveryCodes(codes=codes)


def _prepared(seed: str, username: str) -> TotpPrepared:
    return TotpPrepared(seed=seed, uri=totp.provisioning_uri(seed, account=username, issuer=ISSUER))
