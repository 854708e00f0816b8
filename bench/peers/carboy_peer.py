"""Carboy itself, as it is served in production; only the database's address and pool are given.

The contenders have no accounts: everybody may do everything there. So that the jobs compare alike, Carboy lets
everybody in here too, without a look at the database.
"""

from app.security import COMMAND, Actor
from asgi import app, container
from carboy.security.actor import Credentials


class Everybody:
    """Takes every request for one of whoever may do everything."""

    async def authenticate(self, _credentials: Credentials) -> Actor:
        return COMMAND


container.authenticator.override(Everybody())

__all__ = ["app"]
