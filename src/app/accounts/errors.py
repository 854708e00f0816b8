from http import HTTPStatus

from app.security import FreshLoginRequiredError, LastAdministratorError
from carboy.errors import BadRequestError, CarboyError, ConflictError, FieldProblem, InvalidInputError, NotFoundError
from carboy.security.errors import ForbiddenError

__all__ = ["FreshLoginRequiredError", "LastAdministratorError"]


class AccountNotFoundError(NotFoundError):
    code = "account_not_found"
    message = "There is no such account."


class SessionNotFoundError(NotFoundError):
    code = "session_not_found"
    message = "There is no such session."


class ApiKeyNotFoundError(NotFoundError):
    code = "api_key_not_found"
    message = "There is no such API key."


class RoleNotFoundError(NotFoundError):
    code = "role_not_found"
    message = "There is no such role."


class CredentialNotFoundError(NotFoundError):
    code = "credential_not_found"
    message = "The account has no such credential."


class RoleNameTakenError(ConflictError):
    code = "role_name_taken"
    message = "Another role has this name."


class ServiceNameTakenError(ConflictError):
    code = "service_name_taken"
    message = "Another service account has this name."


class BuiltInRoleError(ConflictError):
    code = "built_in_role"
    message = "This role comes with the application: it keeps its name, and the administrator keeps all permissions."


class AlreadySetUpError(ConflictError):
    code = "already_set_up"
    message = "There is an administrator already."


class TooManyKeysError(ConflictError):
    code = "too_many_api_keys"
    message = "The account has as many API keys as it may have: revoke one first."


class SecondFactorError(ConflictError):
    code = "second_factor_state"
    message = "The second factor is not in the state that this needs."


class PersonRequiredError(ForbiddenError):
    code = "person_required"
    message = "This is for the accounts of people."


class SessionRequiredError(ForbiddenError):
    code = "session_required"
    message = "This takes a session: log in, and send its token instead of an API key."


class WrongCredentialsError(CarboyError):
    """Says the same of an unknown name, a wrong password and a disabled account (ASVS 5.0 6.3.8)."""

    status = HTTPStatus.UNAUTHORIZED
    code = "wrong_credentials"
    message = "The name or the password is wrong."

    @property
    def headers(self) -> dict[str, str]:
        """The challenge that a 401 must have (RFC 9110 section 15.5.2)."""
        return {"WWW-Authenticate": "Bearer"}


class WrongCodeError(WrongCredentialsError):
    code = "wrong_code"
    message = "The code is wrong, or was used before."


class InvalidRefreshTokenError(WrongCredentialsError):
    code = "invalid_refresh_token"
    message = "The refresh token is not valid: log in again."


class InvalidOneTimeTokenError(BadRequestError):
    code = "invalid_one_time_token"
    message = "This link is not valid: it has expired, or was used before. Ask for a new one."


class RegistrationClosedError(ForbiddenError):
    code = "registration_closed"
    message = "Nobody can register here by themselves."


class InvitationRequiredError(ForbiddenError):
    code = "invitation_required"
    message = "Registering takes an invitation, which is sent to the email address."


class UnknownRoleError(InvalidInputError):
    code = "unknown_role"

    def __init__(self, names: list[str]) -> None:
        super().__init__([FieldProblem(pointer="#/roles", detail=f"There is no role {', '.join(names)}.")])


class ExcessiveScopesError(ForbiddenError):
    code = "excessive_scopes"
    message = "A key can be given no scope that the session, or the account, does not have itself."
