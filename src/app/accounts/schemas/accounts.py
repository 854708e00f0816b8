"""Accounts as administrators see them."""

from datetime import datetime

from pydantic import MISSING, Field

from app.accounts.schemas.common import Name
from app.accounts.schemas.kinds import AccountKind
from carboy.schemas.base import Change, Input, PageQuery, Record


class UserBrief(Record):
    username: str
    email: str
    full_name: str | None


class AccountRead(Record):
    """A person or a service that can come in."""

    kind: AccountKind
    name: str | None
    """That of a service; null for a person."""
    user: UserBrief | None
    """The profile of a person; null for a service."""
    roles: list[str]
    disabled_at: datetime | None
    email_verified_at: datetime | None
    created_at: datetime
    updated_at: datetime
    version: int


class AccountQuery(PageQuery):
    """Which accounts a list shows."""

    kind: AccountKind | None = None
    user_id: int | None = Field(default=None, ge=1, le=2**63 - 1)
    """Only the account of this user."""


class ServiceCreate(Input):
    name: Name
    roles: list[Name] = Field(default=[], max_length=50)


class ServiceUpdate(Change):
    name: Name | MISSING = MISSING
    disabled: bool | MISSING = MISSING


class RolesAssignment(Input):
    roles: list[Name] = Field(max_length=50)
    """All that the account shall have; others are taken from it."""
