"""The cookie of a page's session: its row is at the server, the cookie holds nothing but an opaque token."""

from dataclasses import dataclass
from datetime import timedelta

from flask import Response

from carboy.config.settings import Environment
from carboy.web.application import Request

NAME = "session"
SECURE_PREFIX = "__Host-"
"""A browser takes a cookie of this prefix over TLS alone, for this host alone and for all paths (RFC 6265bis 4.1.3)."""
CLEARED = '"cache", "cookies", "storage"'
"""What a browser is told to forget at logout (ASVS 5.0 14.3.1, Clear-Site-Data)."""


@dataclass(frozen=True, slots=True)
class SessionCookie:
    """Reads and writes the cookie (ASVS 5.0 3.3).

    Attributes:
        is_secure: Whether it is for TLS alone: everywhere but in development and tests over plain HTTP.
        purpose: Its name without the prefix; another token than the session's has a cookie of its own.
    """

    is_secure: bool
    purpose: str = NAME

    @property
    def name(self) -> str:
        return f"{SECURE_PREFIX}{self.purpose}" if self.is_secure else self.purpose

    def read(self, request: Request) -> str | None:
        """Return what the cookie holds; None if there is none."""
        return request.cookies.get(self.name) or None

    def write(self, response: Response, token: str, *, lifetime: timedelta | None = None) -> None:
        """Give a response the cookie, and keep caches from storing it.

        Args:
            response: The answer.
            token: The session's opaque token, new at each login.
            lifetime: How long the browser keeps it; None until it is closed.
        """
        response.set_cookie(
            self.name, token, max_age=lifetime, path="/", secure=self.is_secure, httponly=True, samesite="Lax"
        )
        response.cache_control.no_store = True

    def take_away(self, response: Response) -> None:
        """Take the cookie away."""
        response.delete_cookie(self.name, path="/", secure=self.is_secure, httponly=True, samesite="Lax")
        response.cache_control.no_store = True

    def delete(self, response: Response) -> None:
        """Take the cookie away, and tell the browser to forget what else it has of this site."""
        self.take_away(response)
        response.headers["Clear-Site-Data"] = CLEARED


def create_session_cookie(environment: Environment) -> SessionCookie:
    """Make the cookie of an environment: without TLS in development and tests alone, as they run over plain HTTP."""
    return SessionCookie(is_secure=environment.is_deployed)
