from datetime import UTC, datetime, timedelta

from app.accounts.daos import AccountDao, CredentialDao, RoleDao
from app.accounts.errors import (
    AlreadySetUpError,
    InvalidOneTimeTokenError,
    InvitationRequiredError,
    RegistrationClosedError,
    UnknownRoleError,
)
from app.accounts.jobs import send_invitation
from app.accounts.limits import INVITATION_OF_ADDRESS
from app.accounts.mails import AlreadyRegistered, Invitation, Post
from app.accounts.schemas.auth import FirstAdministrator, InvitationCreate, InvitationRead, Registration
from app.accounts.schemas.internal import AccountKey, LoginRow
from app.accounts.schemas.kinds import CredentialKind, Purpose
from app.accounts.services.one_time_tokens import OneTimeTokens
from app.audit.schemas import Event
from app.audit.services import Audit, audited
from app.security import ADMINISTRATOR, MEMBER, Actor, Permission
from app.settings import AccountSettings
from app.users.schemas import UserCreate
from app.users.services import UserService
from carboy.jobs import Jobs
from carboy.limits.services import RateLimiter
from carboy.schemas.emails import fold_email
from carboy.security.errors import ForbiddenError
from carboy.security.passwords import PasswordHasher
from carboy.security.strength import PasswordPolicy
from carboy.security.tokens import Token
from carboy.services import Service, UnitOfWork, read_only


class RegistrationService(Service):
    """Makes accounts for people who come by themselves, by invitation, or first of all.

    Whether an email address is registered already is told to its owner alone, by mail. Usernames are public.
    """

    def __init__(
        self,
        unit_of_work: UnitOfWork,
        accounts: AccountDao,
        credentials: CredentialDao,
        roles: RoleDao,
        users: UserService,
        one_time_tokens: OneTimeTokens,
        hasher: PasswordHasher,
        policy: PasswordPolicy,
        limiter: RateLimiter,
        audit: Audit,
        mailer: Post,
        jobs: Jobs,
        settings: AccountSettings,
    ) -> None:
        super().__init__(unit_of_work)
        self._accounts = accounts
        self._credentials = credentials
        self._roles = roles
        self._users = users
        self._one_time_tokens = one_time_tokens
        self._hasher = hasher
        self._policy = policy
        self._limiter = limiter
        self._audit = audit
        self._mailer = mailer
        self._jobs = jobs
        self._settings = settings

    async def request_invitation(self, actor: Actor, email: str) -> None:
        """Have an invitation sent to an address, where everybody may register.

        It does the same for every address, so that neither its answer nor its time tells anything: a job looks it up.
        Nor does what follows: an account is made by whoever reads the mails of its address, and by nobody else.

        Raises:
            RegistrationClosedError: The configuration does not allow it.
            RateLimitedError: There were too many requests for this address, whether anybody has it or not.
        """
        if not self.is_open:
            raise RegistrationClosedError
        await self._limiter.hit(INVITATION_OF_ADDRESS, fold_email(email))
        await self._jobs.enqueue(send_invitation, email=email, asker=actor.without_permissions)

    @audited
    async def send_invitation(self, actor: Actor, email: str) -> None:
        """Send the invitation that was asked for, for the job of that name; the owner of a known address is told so."""
        found = await self._accounts.find_login(email)
        # A username may look like an address.
        if found is not None and fold_email(found.email) == fold_email(email):
            await self._mailer.send(AlreadyRegistered(to=found.email, username=found.username))
            await self._audit.record(Event.REGISTERED_AGAIN, actor, subject_id=found.account_id)
        else:
            await self._invite(actor, InvitationCreate.model_construct(email=email, role=None))

    async def register(self, actor: Actor, given: Registration) -> None:
        """Make an account of whoever has an invitation, which proves the address.

        Raises:
            RegistrationClosedError, InvitationRequiredError: The configuration does not allow it.
            InvalidOneTimeTokenError: The invitation is not valid, or is for another address.
            InvalidInputError: The password is not good enough.
            UsernameTakenError, EmailTakenError: Another user has it, ignoring case.
        """
        _require_for(await self.invited(given.invitation), given)
        await self._check(given)
        await self._register(actor, given, await self._hasher.hash(given.password))

    @property
    def is_open(self) -> bool:
        """Whether everybody may register."""
        return self._settings.registration == "open"

    @property
    def min_length(self) -> int:
        """The least number of characters of a new account's password."""
        return self._policy.min_length

    async def invited(self, invitation: str | None) -> str | None:
        """Return the address that an invitation was sent to, before a form is shown.

        Raises:
            RegistrationClosedError, InvitationRequiredError: The configuration does not allow it.
            InvalidOneTimeTokenError: The invitation is not valid.
        """
        if self._settings.registration == "closed":
            raise RegistrationClosedError
        if invitation is None:
            raise InvitationRequiredError
        return (await self._one_time_tokens.look(Purpose.INVITE, invitation)).email

    @audited
    async def invite(self, actor: Actor, new: InvitationCreate) -> InvitationRead:
        """Send somebody an invitation, with a role if the actor may give roles.

        Raises:
            ForbiddenError: The actor may not give roles.
            UnknownRoleError: There is no such role.
        """
        if new.role is not None:
            if not actor.may(Permission.ROLES_MANAGE):
                raise ForbiddenError
            if await self._roles.missing([new.role]):
                raise UnknownRoleError([new.role])
        return await self._invite(actor, new)

    async def _invite(self, actor: Actor, new: InvitationCreate) -> InvitationRead:
        days = self._settings.invitation_days
        valid = timedelta(days=days)
        token = await self._one_time_tokens.make(Purpose.INVITE, valid, email=new.email, role=new.role)
        await self._mailer.send(Invitation(to=new.email, token=token.reveal(), days=days))
        await self._audit.record(Event.ACCOUNT_INVITED, actor, email=new.email, role=new.role)
        return InvitationRead(email=new.email, expires_at=datetime.now(UTC) + valid)

    async def offer_first_administrator(self, actor: Actor) -> Token | None:
        """Return the token of a link that makes the first administrator; None if there is one already.

        An earlier one works no longer.
        """
        return None if await self._has_administrator() else await self._offer(actor)

    @read_only
    async def _has_administrator(self) -> bool:
        return await self._accounts.count_other_administrators(None) > 0

    @audited
    async def _offer(self, actor: Actor) -> Token | None:
        await self._roles.lock(ADMINISTRATOR)
        await self._one_time_tokens.drop_all(Purpose.FIRST_ADMINISTRATOR)
        if await self._accounts.count_other_administrators(None):
            await self._audit.record(Event.FIRST_ADMINISTRATOR_OFFERED, actor, offered=False)
            return None
        valid = timedelta(hours=self._settings.first_administrator_hours)
        token = await self._one_time_tokens.make(Purpose.FIRST_ADMINISTRATOR, valid, role=ADMINISTRATOR)
        await self._audit.record(Event.FIRST_ADMINISTRATOR_OFFERED, actor, offered=True)
        return token

    @read_only
    async def check_offer(self, text: str) -> None:
        """See whether the token of a link can still make the first administrator, before a form is shown.

        Raises:
            InvalidOneTimeTokenError: The token has expired or was used.
            AlreadySetUpError: There is an administrator already.
        """
        await self._one_time_tokens.look(Purpose.FIRST_ADMINISTRATOR, text)
        if await self._accounts.count_other_administrators(None):
            raise AlreadySetUpError

    async def claim(self, actor: Actor, given: FirstAdministrator) -> None:
        """Make the first administrator, by the token that the server's operator was shown.

        Raises:
            InvalidOneTimeTokenError: The token has expired or was used.
            AlreadySetUpError: There is an administrator already.
            InvalidInputError: The password is not good enough.
            UsernameTakenError, EmailTakenError: Another user has it, ignoring case.
        """
        await self.check_offer(given.token)
        await self._check(given)
        await self._claim(actor, given, await self._hasher.hash(given.password))

    @audited
    async def create_person(
        self, actor: Actor, new: UserCreate, *, password: str | None = None, is_administrator: bool = False
    ) -> int:
        """Make an account whose address counts as proved, for whoever runs a command; return its id.

        Args:
            actor: Who acts.
            new: The user.
            password: Its encoded hash; None if there is none yet.
            is_administrator: Whether it gets that role.
        """
        roles = [MEMBER, ADMINISTRATOR] if is_administrator else [MEMBER]
        return (await self._create(actor, new, password, roles)).account_id

    async def _check(self, given: Registration | FirstAdministrator) -> None:
        await self._policy.check(given.password, words=(given.username, given.email, given.full_name))

    @audited
    async def _register(self, actor: Actor, given: Registration, encoded: str) -> None:
        invitation = await self._one_time_tokens.take(Purpose.INVITE, given.invitation or "")
        _require_for(invitation.email, given)
        roles = [MEMBER, invitation.role] if invitation.role not in {None, MEMBER} else [MEMBER]
        new = UserCreate.model_construct(
            username=given.username, email=given.email, full_name=given.full_name, active=True
        )
        await self._create(actor, new, encoded, roles)

    @audited
    async def _claim(self, actor: Actor, given: FirstAdministrator, encoded: str) -> None:
        await self._roles.lock(ADMINISTRATOR)
        await self._one_time_tokens.take(Purpose.FIRST_ADMINISTRATOR, given.token)
        if await self._accounts.count_other_administrators(None):
            raise AlreadySetUpError
        new = UserCreate.model_construct(
            username=given.username, email=given.email, full_name=given.full_name, active=True
        )
        await self._create(actor, new, encoded, [MEMBER, ADMINISTRATOR])

    async def _create(self, actor: Actor, new: UserCreate, encoded: str | None, roles: list[str]) -> LoginRow:
        user = await self._users.create_user(actor, new)
        account_id = await self._accounts.lock_of_user(user.id)
        now = datetime.now(UTC)
        await self._accounts.update_as(AccountKey, account_id, {"email_verified_at": now, "roles": roles})
        if encoded is not None:
            await self._credentials.of(account_id).put(CredentialKind.PASSWORD, encoded, confirmed_at=now)
        await self._audit.record(Event.ROLES_ASSIGNED, actor, subject_id=account_id, roles=roles)
        person = await self._accounts.find_login_of(account_id)
        if person is None:
            raise RuntimeError("An account was created without a person.")
        return person


def _require_for(email: str | None, given: Registration) -> None:
    """Raise an `InvalidOneTimeTokenError` unless an invitation was sent to the address that registers."""
    if email is None or fold_email(email) != fold_email(given.email):
        raise InvalidOneTimeTokenError
