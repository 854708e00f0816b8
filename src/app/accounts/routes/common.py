"""What the blueprints share."""

from typing import Annotated

from dependency_injector.wiring import Provide
from flask import Response
from pydantic import Field

from app.accounts.services.accounts import AccountService
from app.accounts.services.emails import EmailService
from app.accounts.services.factors import FactorService
from app.accounts.services.keys import KeyService
from app.accounts.services.login import LoginService
from app.accounts.services.passwords import PasswordService
from app.accounts.services.registration import RegistrationService
from app.accounts.services.roles import RoleService
from app.accounts.services.sessions import SessionService

Accounts = Annotated[AccountService, Provide["account_service"]]
Emails = Annotated[EmailService, Provide["email_service"]]
Factors = Annotated[FactorService, Provide["factor_service"]]
Keys = Annotated[KeyService, Provide["key_service"]]
Logins = Annotated[LoginService, Provide["login_service"]]
Passwords = Annotated[PasswordService, Provide["password_service"]]
Registrations = Annotated[RegistrationService, Provide["registration_service"]]
Roles = Annotated[RoleService, Provide["role_service"]]
Sessions = Annotated[SessionService, Provide["session_service"]]

AccountId = Annotated[int, Field(description="The account's id, which is not the user's.", examples=[1])]
SessionId = Annotated[int, Field(description="The session's id.", examples=[1])]
KeyId = Annotated[int, Field(description="The key's id.", examples=[1])]
RoleId = Annotated[int, Field(description="The role's id.", examples=[1])]


def keep_out_of_caches(response: Response) -> Response:
    """Let no cache keep an answer: it may hold a token, or what concerns one person (RFC 6749 section 5.1)."""
    response.cache_control.no_store = True
    return response
