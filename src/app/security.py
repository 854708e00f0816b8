"""Who may do what: the application's policy, for a team to read and change. docs/accounts.md explains it.

The mechanism is the kit's: `carboy.security.actor`, and `@requires` of `carboy.web.access` on each view.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from carboy.errors import ConflictError
from carboy.security import actor as kit
from carboy.security.actor import ActorKind
from carboy.security.errors import ForbiddenError


class Permission(StrEnum):
    """What can be permitted. Roles hold these as data, and scopes of tokens and keys are the same strings."""

    ME_READ = "me:read"
    """See one's own account. Every account has it: it exists so that scopes can leave it out."""
    ME_WRITE = "me:write"
    """Change one's own account. Every person has it."""
    USERS_READ = "users:read"
    USERS_WRITE = "users:write"
    ACCOUNTS_MANAGE = "accounts:manage"
    """Disable accounts, end their sessions, trigger resets, invite, and manage service accounts."""
    ROLES_MANAGE = "roles:manage"
    """Change roles and who has them: whoever has it can have everything."""
    AUDIT_READ = "audit:read"
    JOBS_READ = "jobs:read"
    JOBS_WRITE = "jobs:write"
    """Run background jobs again, cancel and delete them."""


OWN = {
    ActorKind.PERSON: frozenset({Permission.ME_READ.value, Permission.ME_WRITE.value}),
    ActorKind.SERVICE: frozenset({Permission.ME_READ.value}),
}
"""What an account may do without any role."""

GRANTABLE = tuple(
    permission for permission in Permission if permission not in {Permission.ME_READ, Permission.ME_WRITE}
)
"""What roles are made of."""

MEMBER, ADMINISTRATOR = "member", "administrator"
"""The roles that the migration makes. Neither can be deleted; the administrator's permissions stay all of them."""


class FreshLoginRequiredError(ForbiddenError):
    code = "fresh_login_required"
    message = "Log in again, or confirm your password: this needs a login of the last few minutes."


class LastAdministratorError(ConflictError):
    code = "last_administrator"
    message = "Somebody must be an administrator: make another one first."


@dataclass(frozen=True, kw_only=True, slots=True)
class Actor(kit.Actor):
    """Who acts, and from where.

    Attributes:
        user_id: The user that the account belongs to; None for a service.
        session_id: The session that the request came with; None for an API key and a command.
        has_second_factor: Whether the session was begun with one.
        authenticated_at: When a password or second factor was last shown in this session.
        address: The client's address, for the audit log.
        agent: What the client says that it is.
    """

    user_id: int | None = None
    session_id: int | None = None
    has_second_factor: bool = False
    authenticated_at: datetime | None = None
    address: str | None = None
    agent: str | None = None

    @property
    def own_account(self) -> int:
        """The id of the actor's account.

        Raises:
            ForbiddenError: The actor has none.
        """
        if self.account_id is None:
            raise ForbiddenError
        return self.account_id

    @property
    def without_permissions(self) -> "Actor":
        """The same actor, for the record: one who has asked for what a job does later, and decides nothing there."""
        return replace(self, permissions=frozenset(), scopes=None)

    def owns(self, argument: str, identity: int) -> bool:
        """Tell whether what an argument of a URL names is the actor's own: a user or an account."""
        return identity == (self.user_id if argument == "user_id" else self.account_id)

    def require_fresh(self, within: timedelta) -> None:
        """Refuse an actor that has not logged in lately (ASVS 5.0 7.5.1); an API key never has.

        Raises:
            FreshLoginRequiredError: It was too long ago.
        """
        if self.authenticated_at is None or datetime.now(UTC) - self.authenticated_at > within:
            raise FreshLoginRequiredError


COMMAND = Actor(kind=ActorKind.JOB, permissions=frozenset(Permission), credential="command line")
"""Whoever runs a `flask` command on the server."""
