"""Who acts: a value that services and DAOs are given, made of a request or a job, and without either."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from carboy.security.errors import ForbiddenError, InsufficientScopeError


class ActorKind(StrEnum):
    PERSON = "person"
    SERVICE = "service"
    """A service account: no password, keys that outlive a person."""
    JOB = "job"
    ANONYMOUS = "anonymous"


@dataclass(frozen=True, kw_only=True, slots=True)
class Actor:
    """Who acts, and what they may do.

    Attributes:
        kind: Whether it is a person, a service account, a job or nobody known.
        account_id: The account; None for an anonymous actor and for a job that belongs to nobody.
        permissions: What the account may do, such as ``users:write``.
        scopes: To what the token or key is limited; None if to nothing, as in a session of pages.
        credential: By what they came in, such as ``session 12`` or ``api key 3``, for the audit log.
    """

    kind: ActorKind
    account_id: int | None = None
    permissions: frozenset[str] = frozenset()
    scopes: frozenset[str] | None = None
    credential: str | None = None

    @property
    def is_anonymous(self) -> bool:
        return self.kind is ActorKind.ANONYMOUS

    @property
    def effective(self) -> frozenset[str]:
        """What may be done this time: the permissions of the account that the scopes include."""
        return self.permissions if self.scopes is None else self.permissions & self.scopes

    def may(self, permission: str) -> bool:
        return permission in self.effective

    def is_account(self, account_id: int) -> bool:
        """Tell whether an account is the actor's own."""
        return self.account_id is not None and self.account_id == account_id

    def owns(self, argument: str, identity: int) -> bool:  # noqa: ARG002 - an application may tell arguments apart.
        """Tell whether what an argument of a URL names is the actor's own.

        Here it is the id of an account, whatever the argument is called. An application whose URLs have other ids of
        its accounts, such as those of users or teams, overrides this.
        """
        return self.is_account(identity)

    def has_scope(self, permission: str) -> bool:
        """Tell whether the token or key may be used for this, whoever owns what it is done to."""
        return self.scopes is None or permission in self.scopes

    def require(self, permission: str, *, owner_id: int | None = None) -> None:
        """Refuse an actor that may not do this.

        Args:
            permission: What it takes to do it to anybody's.
            owner_id: Whose it is done to: the owner needs no permission, but a token's scopes bind the owner too.

        Raises:
            InsufficientScopeError: The account may, but the token or key is not for this.
            ForbiddenError: The account may not.
        """
        is_own = owner_id is not None and self.is_account(owner_id)
        if permission not in self.permissions and not is_own:
            raise ForbiddenError
        if not self.has_scope(permission):
            raise InsufficientScopeError(permission)


ANONYMOUS = Actor(kind=ActorKind.ANONYMOUS)


@dataclass(frozen=True, kw_only=True, slots=True)
class Credentials:
    """What a request shows of who sends it. Their `repr` shows none of it.

    Attributes:
        bearer: The token of the header ``Authorization: Bearer ...``.
        cookie: The session cookie; None on routes of an API, as a cookie never authenticates one by itself.
        address: The client's address, for the audit log.
        agent: What the client says that it is.
    """

    bearer: str | None = field(default=None, repr=False)
    cookie: str | None = field(default=None, repr=False)
    address: str | None = None
    agent: str | None = None


class Authenticator(Protocol):
    """Finds out who acts. The application's policy: which tokens there are, and what is looked up."""

    async def authenticate(self, credentials: Credentials) -> Actor:
        """Return the actor; `ANONYMOUS` if the request shows nothing.

        Raises:
            InvalidTokenError: What it shows is unknown, expired or revoked, or its account is disabled.
        """
