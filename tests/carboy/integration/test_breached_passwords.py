"""Whether a password is known from a breach: the client of the range API, against a real server, and its fake."""

import asyncio
from collections.abc import AsyncIterator
from hashlib import sha1

import pytest
import pytest_asyncio
from support.clients import http_client
from support.upstream import Behaviour, Upstream, answer, babble, cut_off, stall

from carboy.clients.breached_passwords import BreachedPasswordsClient
from carboy.security.strength import BreachedPasswords
from carboy.testing import FakeBreachedPasswords, override
from containers import Container

BREACHED = "correct horse battery staple"


def digest_of(password: str) -> str:
    return sha1(password.encode(), usedforsecurity=False).hexdigest().upper()


class RangeApi(Upstream):
    """Answers as the range API does: with all suffixes of a prefix, and entries of padding that were seen 0 times."""

    def __init__(self) -> None:
        super().__init__()
        self.always = self.listing

    async def listing(self, writer: asyncio.StreamWriter) -> None:
        prefix = self.received[-1].target.removeprefix("/range/")
        known = [digest_of(BREACHED)] if prefix == digest_of(BREACHED)[:5] else []
        lines = [f"{digest[5:]}:3" for digest in known] + [f"{digest_of(str(number))[5:]}:0" for number in range(50)]
        # Padding that looks like the password of another test.
        lines.append(f"{digest_of('padding')[5:]}:0")
        await answer("\r\n".join(lines).encode())(writer)


@pytest_asyncio.fixture
async def api() -> AsyncIterator[RangeApi]:
    api = RangeApi()
    async with api.serving():
        yield api


@pytest_asyncio.fixture
async def client(api: RangeApi, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[BreachedPasswordsClient]:
    # A busy machine may take longer than people should wait.
    monkeypatch.setattr(BreachedPasswordsClient, "total_timeout", 20.0)
    async with http_client(attempts=1, breaker_failures=3) as http:
        yield BreachedPasswordsClient(http, api.url)


@pytest.fixture(params=["client", "fake"])
def known(request: pytest.FixtureRequest, client: BreachedPasswordsClient) -> BreachedPasswords:
    return client if request.param == "client" else FakeBreachedPasswords([BREACHED])


async def test_a_breached_password_is_known(known: BreachedPasswords) -> None:
    assert await known.is_breached(BREACHED)


@pytest.mark.parametrize(
    "password", ["correct horse battery staple ", "", "padding", "pässwörd \U0001f512", "\ud800", "x" * 256]
)
async def test_another_password_is_not(known: BreachedPasswords, password: str) -> None:
    assert not await known.is_breached(password)


async def test_the_api_learns_five_digits_of_a_digest_and_nothing_else(
    client: BreachedPasswordsClient, api: RangeApi
) -> None:
    await client.is_breached(BREACHED)
    [request] = api.received
    assert request.target == f"/range/{digest_of(BREACHED)[:5]}"
    assert request.headers["add-padding"] == "true"
    assert digest_of(BREACHED)[5:] not in repr(request)


@pytest.mark.parametrize(
    "trouble",
    [answer({}, 503), answer({}, 429), answer(b"<html>hotel</html>"), answer(b""), babble, cut_off, stall],
)
async def test_a_password_that_cannot_be_looked_up_is_taken_for_good_and_counted(
    client: BreachedPasswordsClient, api: RangeApi, trouble: Behaviour
) -> None:
    api.always = trouble
    assert not await client.is_breached(BREACHED)
    assert client.unchecked == 1
    api.always = api.listing
    assert await client.is_breached(BREACHED)
    assert client.unchecked == 1


async def test_while_the_api_is_down_it_is_left_alone(client: BreachedPasswordsClient, api: RangeApi) -> None:
    api.always = answer({}, 500)
    for _ in range(10):
        assert not await client.is_breached(BREACHED)
    assert (len(api.received), client.unchecked, client.breaker.state) == (3, 10, "open")


async def test_it_is_off_by_default_and_on_by_a_setting(container: Container) -> None:
    assert container.breached_passwords() is None
    settings = container.settings()
    security = settings.security.model_copy(update={"breached_passwords": True})
    with override(container, settings=settings.model_copy(update={"security": security})):
        assert isinstance(container.breached_passwords(), BreachedPasswordsClient)
        assert (await container.health_service().check()).checks["breached_passwords"] == "ok"
