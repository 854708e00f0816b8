from datetime import UTC, datetime, timedelta

from app.accounts.daos import AccountDao
from app.accounts.errors import InvalidOneTimeTokenError, PersonRequiredError
from app.accounts.jobs import send_new_email_link
from app.accounts.mails import ConfirmNewEmail, EmailChanged, Post, VerifyEmail
from app.accounts.schemas.internal import AccountKey, LoginRow
from app.accounts.schemas.kinds import Purpose
from app.accounts.services.one_time_tokens import OneTimeTokens
from app.audit.schemas import Event
from app.audit.services import Audit, audited
from app.security import Actor
from app.settings import AccountSettings
from app.users.services import UserService
from carboy.jobs import Jobs
from carboy.schemas.emails import fold_email
from carboy.services import Service, UnitOfWork, read_only


class EmailService(Service):
    """Has people prove their addresses. A new address counts when it is proved, and not before.

    A link proves an address to whoever is logged in to the account that it was made for, and to nobody else: that
    somebody else has registered with one's address lets nobody in (pre-registration).
    """

    def __init__(
        self,
        unit_of_work: UnitOfWork,
        accounts: AccountDao,
        users: UserService,
        one_time_tokens: OneTimeTokens,
        audit: Audit,
        mailer: Post,
        jobs: Jobs,
        settings: AccountSettings,
    ) -> None:
        super().__init__(unit_of_work)
        self._accounts = accounts
        self._users = users
        self._one_time_tokens = one_time_tokens
        self._audit = audit
        self._mailer = mailer
        self._jobs = jobs
        self._settings = settings

    @audited
    async def send_verification(self, actor: Actor) -> None:
        """Send the actor a link that proves the address of their account."""
        found = await self._own(actor)
        token = await self._one_time_tokens.make(
            Purpose.VERIFY, self._valid, account_id=found.account_id, email=found.email
        )
        await self._mailer.send(VerifyEmail(to=found.email, username=found.username, token=token.reveal()))
        await self._audit.record(Event.EMAIL_VERIFICATION_SENT, actor, subject_id=found.account_id)

    @audited
    async def verify(self, actor: Actor, text: str) -> None:
        """Take the token of a verification link.

        Raises:
            InvalidOneTimeTokenError: It is another account's, has expired, was used, or the address has changed.
        """
        token = await self._one_time_tokens.take(Purpose.VERIFY, text)
        found = await self._own(actor)
        if token.account_id != found.account_id or token.email != found.email:
            raise InvalidOneTimeTokenError
        await self._accounts.update_as(AccountKey, found.account_id, {"email_verified_at": datetime.now(UTC)})
        await self._audit.record(Event.EMAIL_VERIFIED, actor, subject_id=found.account_id)

    async def request_change(self, actor: Actor, email: str) -> None:
        """Have a link sent to a new address. Whether it belongs to another account is not told: a job looks it up.

        Raises:
            FreshLoginRequiredError: The login was too long ago (ASVS 5.0 7.5.1).
            PersonRequiredError: The account is that of a service.
        """
        actor.require_fresh(self._settings.fresh)
        await self._require_person(actor)
        await self._jobs.enqueue(send_new_email_link, email=email, asker=actor.without_permissions)

    @audited
    async def send_change_link(self, actor: Actor, email: str) -> None:
        """Send the link that was asked for, for the job `send_new_email_link`."""
        found = await self._own(actor)
        other = await self._accounts.find_login(email)
        is_taken = other is not None and fold_email(other.email) == fold_email(email)
        if not is_taken:
            token = await self._one_time_tokens.make(
                Purpose.CHANGE_EMAIL, self._valid, account_id=found.account_id, email=email
            )
            await self._mailer.send(ConfirmNewEmail(to=email, username=found.username, token=token.reveal()))
        await self._audit.record(Event.EMAIL_CHANGE_REQUESTED, actor, subject_id=found.account_id)

    @audited
    async def change(self, actor: Actor, text: str) -> None:
        """Take the token that was sent to a new address: from now on it is the account's.

        Raises:
            InvalidOneTimeTokenError: It is another account's, has expired or was used.
            EmailTakenError: Another user has got the address meanwhile.
        """
        token = await self._one_time_tokens.take(Purpose.CHANGE_EMAIL, text)
        found = await self._own(actor)
        if token.account_id != found.account_id or token.email is None:
            raise InvalidOneTimeTokenError
        await self._users.set_email(actor, found.user_id, token.email)
        await self._accounts.update_as(AccountKey, found.account_id, {"email_verified_at": datetime.now(UTC)})
        await self._audit.record(Event.EMAIL_CHANGED, actor, subject_id=found.account_id)
        await self._mailer.send(EmailChanged(to=found.email, username=found.username))

    @property
    def _valid(self) -> timedelta:
        return timedelta(hours=self._settings.verification_hours)

    @read_only
    async def _require_person(self, actor: Actor) -> None:
        await self._own(actor)

    async def _own(self, actor: Actor) -> LoginRow:
        account = await self._accounts.get(actor.own_account)
        found = await self._accounts.find_login_of(account.id)
        if found is None:
            raise PersonRequiredError
        return found
