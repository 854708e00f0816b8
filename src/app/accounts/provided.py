"""The services of accounts, as routes and pages ask the container for them."""

from typing import Annotated

from dependency_injector.wiring import Provide

from app.accounts.services.accounts import AccountService
from app.accounts.services.emails import EmailService
from app.accounts.services.factors import FactorService
from app.accounts.services.keys import KeyService
from app.accounts.services.login import LoginService
from app.accounts.services.passwords import PasswordService
from app.accounts.services.personal_data import PersonalDataService
from app.accounts.services.registration import RegistrationService
from app.accounts.services.roles import RoleService
from app.accounts.services.sessions import SessionService

Accounts = Annotated[AccountService, Provide["account_service"]]
Emails = Annotated[EmailService, Provide["email_service"]]
Factors = Annotated[FactorService, Provide["factor_service"]]
Keys = Annotated[KeyService, Provide["key_service"]]
Logins = Annotated[LoginService, Provide["login_service"]]
Passwords = Annotated[PasswordService, Provide["password_service"]]
PersonalDataOf = Annotated[PersonalDataService, Provide["personal_data_service"]]
Registrations = Annotated[RegistrationService, Provide["registration_service"]]
Roles = Annotated[RoleService, Provide["role_service"]]
Sessions = Annotated[SessionService, Provide["session_service"]]
