"""People with passwords, who log in over HTTP, and the mails that they get."""

import re
from collections.abc import Mapping
from typing import Any

import httpx
from support.accounts import ADMIN
from support.users import registration

from app.accounts.mails import Post
from app.users.schemas import UserCreate
from carboy.mail import Mail
from carboy.testing import drain
from containers import Container

PASSWORD = "seven grey herons over the weir"
OTHER = "a violet kettle hums by the mill"
NOBODY = {"Authorization": ""}
"""For requests without the header that the client of the tests has otherwise."""


class RecordedMails(Post):
    """Keeps the mails that would have been sent."""

    def __init__(self) -> None:
        self.mails: list[Mail] = []

    async def send(self, mail: Mail) -> None:
        self.mails.append(mail)

    def token(self) -> str:
        """Return the token of the last mail."""
        token: str = getattr(self.mails[-1], "token")  # noqa: B009 - not every mail has one.
        return token

    def kinds(self) -> list[str]:
        return [type(mail).__name__ for mail in self.mails]


async def add_person(
    container: Container, name: str = "ada", *, password: str | None = PASSWORD, is_administrator: bool = False
) -> int:
    """Add a person whose address is proved, and return the account's id."""
    encoded = None if password is None else await container.password_hasher().hash(password)
    account_id: int = await container.registration_service().create_person(
        ADMIN, UserCreate(**registration(name)), password=encoded, is_administrator=is_administrator
    )
    return account_id


async def log_in(client: httpx.AsyncClient, name: str = "ada", password: str = PASSWORD, **more: Any) -> httpx.Response:
    """Log in without the header that the client has otherwise."""
    body = {"login": name, "password": password, **more}
    return await client.post("/api/auth/login", json=body, headers=NOBODY)


async def tokens_of(client: httpx.AsyncClient, name: str = "ada", password: str = PASSWORD, **more: Any) -> Any:
    answer = await log_in(client, name, password, **more)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def ask_for_reset(client: httpx.AsyncClient, container: Container, email: str = "ada@example.org") -> Any:
    """Ask for a link for a new password, have it sent, and return the answer to the request."""
    answer = await client.post("/api/auth/password-reset", json={"email": email}, headers=NOBODY)
    await drain(container)
    return answer.json()


def bearer(tokens: Mapping[str, Any] | str) -> dict[str, str]:
    token = tokens if isinstance(tokens, str) else tokens["access_token"]
    return {"Authorization": f"Bearer {token}"}


async def headers_of(client: httpx.AsyncClient, name: str = "ada", **more: Any) -> dict[str, str]:
    """Log a person in, and return what their requests have."""
    return bearer(await tokens_of(client, name, **more))


def secrets_in(value: Any) -> list[str]:
    """Return the tokens in an answer or a mail, however deep they stand in it."""
    return re.findall(r"carboy_[a-z0-9]+_[0-9A-Za-z]{49}", str(value))
