from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from app.accounts.schemas.common import Code, Name, Password, Scopes, TokenText
from app.users.schemas import Email, FullName, Username
from carboy.schemas import Text
from carboy.schemas.base import Input
from carboy.schemas.text import Described


class Answer(BaseModel):
    """What is answered that is no row."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)


class PageLogin(Input):
    login: Annotated[
        Text,
        StringConstraints(min_length=1, max_length=320),
        Described(description="A username or an email address.", examples=["ada"]),
    ]
    password: Password


class Login(PageLogin):
    device: Name | None = None
    """What to call the session in the list of sessions."""
    scopes: Scopes | None = None


class SecondStep(Input):
    token: TokenText
    code: Code


class Tokens(Answer):
    """What a login gives. The secrets are shown once."""

    token_type: str = "Bearer"  # noqa: S105 - the name of a scheme (RFC 6750).
    access_token: str | None = Field(description="For the header Authorization; null while a second factor is missing.")
    expires_in: int = Field(description="Seconds for which the first of the tokens that are not null is valid.")
    refresh_token: str | None = Field(description="For new tokens, once; null while a second factor is missing.")
    second_factor_token: str | None = Field(
        default=None, description="If a second factor is needed: what to send with its code."
    )


class Refresh(Input):
    refresh_token: TokenText


class Confirmation(Input):
    """Who is logged in already shows a password anew, and a code where a second factor is on."""

    password: Password
    code: Code | None = None


class Registration(Input):
    username: Username
    email: Email
    full_name: FullName | None = None
    password: Password
    invitation: TokenText | None = None


class Accepted(Answer):
    """The request is taken. Whether something follows is told by mail alone."""

    detail: str = "If this address can be used, a mail is on its way."


class ResetRequest(Input):
    email: Email


class InvitationRequest(Input):
    email: Email


class ResetConfirmation(Input):
    token: TokenText
    password: Password


class FirstAdministrator(Input):
    token: TokenText
    username: Username
    email: Email
    full_name: FullName | None = None
    password: Password


class TokenConfirmation(Input):
    token: TokenText


class InvitationCreate(Input):
    email: Email
    role: Name | None = None


class InvitationRead(Answer):
    """An invitation, which is sent by mail."""

    email: str
    expires_at: datetime
