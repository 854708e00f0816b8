from http import HTTPStatus
from typing import ClassVar

from carboy.errors import CarboyError, UnavailableError


class PasswordsBusyError(UnavailableError):
    code = "passwords_busy"
    message = "Too many passwords are being checked. Try again in a moment."
    retry_after = 2


class UnauthenticatedError(CarboyError):
    status = HTTPStatus.UNAUTHORIZED
    code = "unauthenticated"
    message = "Send a valid token in the header Authorization, as: Bearer TOKEN."
    challenge: ClassVar[str] = "Bearer"

    @property
    def headers(self) -> dict[str, str]:
        """The challenge (RFC 9110 section 11.6.1, RFC 6750 section 3)."""
        return {"WWW-Authenticate": self.challenge}


class InvalidTokenError(UnauthenticatedError):
    """Says the same of a token that is unknown, expired, revoked or malformed."""

    code = "invalid_token"
    message = "The token is not valid: it is unknown, has expired, or was revoked."
    challenge = 'Bearer error="invalid_token"'


class ForbiddenError(CarboyError):
    status = HTTPStatus.FORBIDDEN
    code = "forbidden"
    message = "Your account may not do this."


class InsufficientScopeError(ForbiddenError):
    code = "insufficient_scope"
    message = "Your account may do this, but the scopes of the token do not include it."

    def __init__(self, scope: str) -> None:
        super().__init__(scope=scope)
        self._scope = scope

    @property
    def headers(self) -> dict[str, str]:
        """The challenge that names the scope (RFC 6750 section 3.1)."""
        return {"WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{self._scope}"'}
