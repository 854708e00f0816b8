"""Rows as the services see them; no client does."""

from datetime import datetime
from typing import NamedTuple

from app.accounts.schemas.kinds import AccountKind, CredentialKind, Purpose, SessionState, TokenKind
from carboy.schemas.base import Record


class ActorRow(NamedTuple):
    """Who a token belongs to, and what it takes to know what they may do: one statement reads it."""

    account_id: int
    kind: str
    """That of an `AccountKind`, as it is stored."""
    user_id: int | None
    permissions: str | None
    """With blanks between them."""
    scopes: str | None
    credential_id: int
    """The id of the session or of the key."""
    has_second_factor: bool
    last_seen_at: datetime | None
    authenticated_at: datetime | None = None
    idle_seconds: int = 0


class PageRow(NamedTuple):
    """A session of a browser, and what it takes to know who has logged in: one statement reads it."""

    credential_id: int
    """The id of the session."""
    state: SessionState
    flashes: str | None
    last_seen_at: datetime
    idle_seconds: int
    has_second_factor: bool
    authenticated_at: datetime
    account_id: int | None
    """None before a login."""
    kind: AccountKind | None
    user_id: int | None
    permissions: str | None
    """With blanks between them."""


class AccountKey(Record):
    """That there is an account, for whoever needs no more of it."""


class RoleKey(Record):
    """The same of a role."""


class LoginRow(NamedTuple):
    """What a login is decided by."""

    account_id: int
    user_id: int
    username: str
    email: str
    full_name: str | None
    is_disabled: bool
    is_verified: bool
    password: str | None
    """The encoded hash; None where there is no password."""
    has_second_factor: bool


class CredentialRow(Record):
    account_id: int
    kind: CredentialKind
    secret: str
    last_step: int | None
    confirmed_at: datetime | None


class HalfLogin(NamedTuple):
    """A login that waits for its second factor."""

    session_id: int
    account_id: int
    failures: int


class SessionTokenRow(Record):
    session_id: int
    kind: TokenKind
    parent_id: int | None
    consumed_at: datetime | None
    expires_at: datetime


class OneTimeTokenRow(Record):
    purpose: Purpose
    account_id: int | None
    email: str | None
    role: str | None
    expires_at: datetime
