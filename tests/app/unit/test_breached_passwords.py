"""With `security.breached_passwords` on, no way to a password takes one that is known from a breach (ASVS 6.2.12)."""

from collections.abc import Iterator
from hashlib import sha1

import httpx
import httpx2
import pytest
from support.people import NOBODY, OTHER, PASSWORD, RecordedMails, add_person, ask_for_reset, headers_of, log_in
from support.users import registration

from app.settings import Settings
from carboy.clients import HttpClient
from carboy.testing import MemoryDatabase, override
from containers import Container

BREACHED = OTHER
REFUSED = "Is known from a breach of another service. Choose one that you use nowhere else."


class RangeApi:
    """Answers as the range API does, and knows one password."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.is_up = True

    async def answer(self, request: httpx2.Request) -> httpx2.Response:
        prefix = request.url.path.removeprefix("/range/")
        self.asked.append(f"{request.url.host} {prefix}")
        if not self.is_up:
            return httpx2.Response(404)
        digest = sha1(BREACHED.encode(), usedforsecurity=False).hexdigest().upper()
        # Entries that were seen 0 times are there for padding alone.
        known = f"{digest[5:]}:3" if digest.startswith(prefix) else f"{digest[5:]}:0"
        return httpx2.Response(200, text=f"{'0' * 35}:1\r\n{known}")


@pytest.fixture
def api() -> RangeApi:
    return RangeApi()


@pytest.fixture
def settings(loaded_settings: Settings) -> Settings:
    security = loaded_settings.security.model_copy(update={"breached_passwords": True})
    return loaded_settings.model_copy(update={"security": security})


@pytest.fixture
def container(settings: Settings, database: MemoryDatabase, mails: RecordedMails, api: RangeApi) -> Iterator[Container]:
    container = Container()
    http = HttpClient(settings.clients, httpx2.MockTransport(api.answer))
    with override(container, settings=settings, database=database, post=mails, http_client=http):
        yield container


def problem_of(answer: httpx.Response) -> tuple[int, list[dict[str, str]]]:
    return answer.status_code, answer.json()["errors"]


async def test_whoever_registers_is_told_that_a_password_is_known(
    client: httpx.AsyncClient, mails: RecordedMails, api: RangeApi
) -> None:
    await client.post("/api/accounts/invitations", json={"email": "ada@example.org"})
    body = registration("ada", invitation=mails.token())
    refused = await client.post("/api/auth/register", json=body | {"password": BREACHED}, headers=NOBODY)
    assert problem_of(refused) == (422, [{"detail": REFUSED, "pointer": "#/password"}])
    assert BREACHED not in refused.text
    taken = await client.post("/api/auth/register", json=body | {"password": PASSWORD}, headers=NOBODY)
    assert taken.status_code == 200
    # It was told five digits of each digest.
    assert [(asked.split()[0], len(asked.split()[1])) for asked in api.asked] == [("api.pwnedpasswords.com", 5)] * 2


async def test_neither_a_change_nor_a_reset_takes_it(
    client: httpx.AsyncClient, container: Container, mails: RecordedMails
) -> None:
    await add_person(container)
    change = {"current_password": PASSWORD, "new_password": BREACHED}
    changed = await client.post("/api/me/password", json=change, headers=await headers_of(client))
    assert problem_of(changed) == (422, [{"detail": REFUSED, "pointer": "#/new_password"}])
    await ask_for_reset(client, container)
    body = {"token": mails.token(), "password": BREACHED}
    reset = await client.post("/api/auth/password-reset/confirm", json=body, headers=NOBODY)
    assert problem_of(reset) == (422, [{"detail": REFUSED, "pointer": "#/password"}])
    assert (await log_in(client)).status_code == 200


async def test_while_the_service_fails_passwords_are_taken_and_counted(
    client: httpx.AsyncClient, container: Container, api: RangeApi
) -> None:
    api.is_up = False
    await add_person(container)
    change = {"current_password": PASSWORD, "new_password": BREACHED}
    changed = await client.post("/api/me/password", json=change, headers=await headers_of(client))
    assert changed.status_code == 204
    breached_passwords = container.breached_passwords()
    assert breached_passwords is not None
    assert breached_passwords.unchecked == 1
