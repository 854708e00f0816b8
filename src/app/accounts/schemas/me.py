from pydantic import MISSING

from app.accounts.schemas.auth import Answer
from app.accounts.schemas.common import Code, Password
from app.users.schemas import Email, FullName, Username
from carboy.schemas.base import Change, Input


class MeRead(Answer):
    """One's own account."""

    account_id: int
    kind: str
    name: str
    user_id: int | None
    email: str | None
    full_name: str | None
    email_verified: bool
    second_factor: bool
    roles: list[str]
    permissions: list[str]
    """What the account may do, in this session and with this token."""


class MeUpdate(Change):
    """A partial change: omitted fields keep their values. The email address has a way of its own, which proves it."""

    username: Username | MISSING = MISSING
    full_name: FullName | MISSING | None = MISSING


class PasswordChange(Input):
    current_password: Password
    new_password: Password


class EmailChange(Input):
    email: Email


class TotpPrepared(Answer):
    """What an authenticator app needs. It is shown once, and counts when a first code has been sent."""

    seed: str
    uri: str


class TotpConfirmation(Input):
    code: Code


class RecoveryCodes(Answer):
    """Each lets in once, in place of a code. They are shown once."""

    codes: list[str]
