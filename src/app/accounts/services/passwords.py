from datetime import UTC, datetime, timedelta

from app.accounts.daos import AccountDao, ApiKeyDao, CredentialDao, SessionDao
from app.accounts.errors import InvalidOneTimeTokenError, PersonRequiredError
from app.accounts.jobs import send_reset_link
from app.accounts.limits import RESET_OF_ADDRESS
from app.accounts.mails import PasswordChanged, Post, ResetPassword
from app.accounts.schemas.auth import ResetConfirmation
from app.accounts.schemas.internal import AccountKey, LoginRow, OneTimeTokenRow
from app.accounts.schemas.kinds import CredentialKind, Purpose
from app.accounts.schemas.me import PasswordChange
from app.accounts.services.guessing import Guessing
from app.accounts.services.one_time_tokens import OneTimeTokens
from app.audit.schemas import Event
from app.audit.services import Audit, audited
from app.security import Actor
from app.settings import AccountSettings
from carboy.errors import FieldProblem, InvalidInputError
from carboy.jobs import Jobs
from carboy.limits.services import RateLimiter
from carboy.schemas.emails import fold_email
from carboy.security.passwords import PasswordHasher
from carboy.security.strength import PasswordPolicy
from carboy.security.tokens import Token
from carboy.services import Service, UnitOfWork, read_only

WRONG = FieldProblem(pointer="#/current_password", detail="Is not your password.")


class PasswordService(Service):
    """Changes and resets passwords. Administrators trigger resets; they never set passwords."""

    def __init__(
        self,
        unit_of_work: UnitOfWork,
        accounts: AccountDao,
        credentials: CredentialDao,
        sessions: SessionDao,
        keys: ApiKeyDao,
        one_time_tokens: OneTimeTokens,
        hasher: PasswordHasher,
        policy: PasswordPolicy,
        guessing: Guessing,
        limiter: RateLimiter,
        audit: Audit,
        mailer: Post,
        jobs: Jobs,
        settings: AccountSettings,
    ) -> None:
        super().__init__(unit_of_work)
        self._accounts = accounts
        self._credentials = credentials
        self._sessions = sessions
        self._keys = keys
        self._one_time_tokens = one_time_tokens
        self._hasher = hasher
        self._policy = policy
        self._guessing = guessing
        self._limiter = limiter
        self._audit = audit
        self._mailer = mailer
        self._jobs = jobs
        self._settings = settings

    async def change(self, actor: Actor, given: PasswordChange) -> None:
        """Change the actor's own password, and end their other sessions (ASVS 5.0 6.2.3, 7.4.3).

        Raises:
            InvalidInputError: The current password is wrong, or the new one is not good enough.
            PasswordsBusyError: Too many passwords are being checked.
        """
        found = await self._look_up_own(actor)
        await self._guessing.count(actor, "", found)
        encoded = None if found is None else found.password
        if not await self._hasher.verify(encoded, given.current_password) or found is None:
            await self._note_failure(actor)
            raise InvalidInputError([WRONG])
        await self._check(found, given.new_password, "#/new_password")
        await self._change(actor, found, await self._hasher.hash(given.new_password))

    async def request_reset(self, actor: Actor, email: str) -> None:
        """Have a link for a new password sent, if a person has this address and is not disabled.

        It does the same for every address, so that neither its answer nor its time tells anything: a job looks it up.

        Raises:
            RateLimitedError: There were too many requests for this address, whether anybody has it or not.
        """
        await self._limiter.hit(RESET_OF_ADDRESS, fold_email(email))
        await self._jobs.enqueue(send_reset_link, email=email, asker=actor.without_permissions)

    @audited
    async def send_reset_link(self, actor: Actor, email: str) -> None:
        """Send the link that was asked for, for the job of that name."""
        found = await self._accounts.find_login(email)
        # A username may look like an address.
        is_theirs = found is not None and fold_email(found.email) == fold_email(email)
        await self._send_reset(actor, found if is_theirs else None)

    @audited
    async def trigger_reset(self, actor: Actor, account_id: int) -> None:
        """Send a person a link for a new password, for an administrator.

        Raises:
            AccountNotFoundError: There is no such account.
        """
        await self._accounts.lock(account_id)
        await self._send_reset(actor, await self._accounts.find_login_of(account_id))

    @audited
    async def make_reset_token(self, actor: Actor, account_id: int) -> Token:
        """Return the token of a link for a new password, for whoever runs a command on the server.

        Raises:
            AccountNotFoundError: There is no such account.
            PersonRequiredError: It is a service's.
        """
        await self._accounts.lock(account_id)
        found = await self._accounts.find_login_of(account_id)
        if found is None:
            raise PersonRequiredError
        valid = timedelta(minutes=self._settings.reset_minutes)
        await self._audit.record(Event.RESET_REQUESTED, actor, subject_id=account_id)
        return await self._one_time_tokens.make(Purpose.RESET, valid, account_id=account_id, email=found.email)

    async def _send_reset(self, actor: Actor, found: LoginRow | None) -> None:
        if found is not None and not found.is_disabled:
            minutes = self._settings.reset_minutes
            token = await self._one_time_tokens.make(
                Purpose.RESET, timedelta(minutes=minutes), account_id=found.account_id, email=found.email
            )
            await self._mailer.send(
                ResetPassword(to=found.email, username=found.username, token=token.reveal(), minutes=minutes)
            )
        subject = None if found is None else found.account_id
        await self._audit.record(Event.RESET_REQUESTED, actor, subject_id=subject)

    async def whose_reset(self, text: str) -> str:
        """Return the username that a link is for, before a form is shown.

        Raises:
            InvalidOneTimeTokenError: The link has expired, was used, or the address has changed meanwhile.
        """
        return (await self._find(await self._one_time_tokens.look(Purpose.RESET, text))).username

    async def reset(self, actor: Actor, given: ResetConfirmation) -> None:
        """Set the password of whoever was sent the link. All of the account's sessions end.

        It proves the address. What was set before anybody had proved it goes: password, second factor and keys may be
        those of somebody who registered with an address that is not theirs. A second factor set later stays in force.

        Raises:
            InvalidOneTimeTokenError: The link has expired, was used, or the address has changed meanwhile.
            InvalidInputError: The password is not good enough.
        """
        token = await self._one_time_tokens.look(Purpose.RESET, given.token)
        found = await self._find(token)
        await self._check(found, given.password, "#/password")
        await self._reset(actor, given.token, await self._hasher.hash(given.password))
        await self._guessing.forgive(found)

    @read_only
    async def _look_up_own(self, actor: Actor) -> LoginRow | None:
        return await self._accounts.find_login_of(actor.own_account)

    @read_only
    async def _find(self, token: OneTimeTokenRow) -> LoginRow:
        found = None if token.account_id is None else await self._accounts.find_login_of(token.account_id)
        if found is None or found.is_disabled or found.email != token.email:
            raise InvalidOneTimeTokenError
        return found

    async def _check(self, found: LoginRow, password: str, pointer: str) -> None:
        await self._policy.check(
            password,
            words=(found.username, found.email, found.full_name),
            has_second_factor=found.has_second_factor,
            pointer=pointer,
        )

    @audited
    async def _note_failure(self, actor: Actor) -> None:
        await self._audit.record(Event.PASSWORD_CHANGE_FAILED, actor, subject_id=actor.account_id)

    @audited
    async def _change(self, actor: Actor, found: LoginRow, encoded: str) -> None:
        await self._accounts.lock(found.account_id)
        own = self._credentials.of(found.account_id)
        present = await own.find_kind(CredentialKind.PASSWORD)
        if present is None or present.secret != found.password:
            # It has been changed meanwhile.
            raise InvalidInputError([WRONG])
        await own.put(CredentialKind.PASSWORD, encoded, confirmed_at=datetime.now(UTC))
        await self._one_time_tokens.drop(found.account_id, Purpose.RESET)
        await self._sessions.end_all(found.account_id, but=actor.session_id)
        await self._audit.record(Event.PASSWORD_CHANGED, actor, subject_id=found.account_id)
        await self._mailer.send(PasswordChanged(to=found.email, username=found.username))

    @audited
    async def _reset(self, actor: Actor, text: str, encoded: str) -> None:
        token = await self._one_time_tokens.take(Purpose.RESET, text)
        found = await self._find(token)
        account = await self._accounts.get(found.account_id)
        if account.email_verified_at is None:
            await self._credentials.delete_kinds(account.id, [*CredentialKind])
            await self._keys.revoke_all(account.id)
        await self._credentials.of(account.id).put(CredentialKind.PASSWORD, encoded, confirmed_at=datetime.now(UTC))
        proved_at = account.email_verified_at or datetime.now(UTC)
        await self._accounts.update_as(AccountKey, account.id, {"email_verified_at": proved_at})
        await self._one_time_tokens.drop(account.id, Purpose.RESET)
        await self._sessions.end_all(account.id)
        await self._audit.record(Event.PASSWORD_RESET, actor, subject_id=account.id)
        await self._mailer.send(PasswordChanged(to=found.email, username=found.username))
