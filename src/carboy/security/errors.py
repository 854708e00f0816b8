from http import HTTPStatus

from carboy.errors import CarboyError, UnavailableError


class PasswordsBusyError(UnavailableError):
    code = "passwords_busy"
    message = "Too many passwords are being checked. Try again in a moment."
    retry_after = 2


class UnauthenticatedError(CarboyError):
    status = HTTPStatus.UNAUTHORIZED
    code = "unauthenticated"
    message = "Send a valid token in the header Authorization, as: Bearer TOKEN."


class InvalidTokenError(UnauthenticatedError):
    """Says the same of a token that is unknown, expired, revoked or malformed."""

    code = "invalid_token"
    message = "The token is not valid: it is unknown, has expired, or was revoked."


class ForbiddenError(CarboyError):
    status = HTTPStatus.FORBIDDEN
    code = "forbidden"
    message = "Your account may not do this."


class InsufficientScopeError(ForbiddenError):
    code = "insufficient_scope"
    message = "Your account may do this, but the token's scopes do not include it."
