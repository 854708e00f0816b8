"""Redirects of somebody else's API, which may try to lead into our network."""

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from support.clients import FollowingClient, http_client
from support.upstream import Upstream, answer, redirect

from carboy.clients import UpstreamError, UpstreamUnavailableError, addresses
from carboy.clients.addresses import ForbiddenAddressError, is_public, pinned
from carboy.clients.redirects import redirected

WARM = answer({"degrees": 21.5})


@pytest_asyncio.fixture
async def upstream() -> AsyncIterator[Upstream]:
    upstream = Upstream()
    upstream.always = WARM
    async with upstream.serving():
        yield upstream


@pytest_asyncio.fixture
async def inside() -> AsyncIterator[Upstream]:
    """A server in our own network, which nobody may be led to."""
    inside = Upstream()
    async with inside.serving():
        yield inside


@pytest_asyncio.fixture
async def client(upstream: Upstream) -> AsyncIterator[FollowingClient]:
    async with http_client() as http:
        yield FollowingClient(http, upstream.url, headers={"Authorization": "Bearer secret"})


async def test_a_redirect_within_the_api_is_followed(client: FollowingClient, upstream: Upstream) -> None:
    upstream.script += [redirect("/v3/cities/oslo"), redirect(f"{upstream.url}/v4/oslo", 308)]
    assert (await client.weather("Oslo")).degrees == 21.5
    assert [request.target for request in upstream.received] == ["/cities/Oslo", "/v3/cities/oslo", "/v4/oslo"]
    assert {request.headers["authorization"] for request in upstream.received} == {"Bearer secret"}


async def test_redirects_without_end_are_given_up(client: FollowingClient, upstream: Upstream) -> None:
    upstream.always = redirect("/again")
    with pytest.raises(UpstreamError):
        await client.weather("Oslo")
    assert len(upstream.received) == 3


async def test_a_post_is_not_redirected(client: FollowingClient, upstream: Upstream) -> None:
    upstream.always = redirect("/elsewhere", 307)
    with pytest.raises(UpstreamError):
        await client.report(1.0)
    assert len(upstream.received) == 1


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "0.0.0.0", "127.1", "2130706433", "0x7f000001", "[::1]", "[::ffff:127.0.0.1]"],
)
async def test_a_redirect_to_this_machine_is_refused_however_it_is_spelt(
    client: FollowingClient, upstream: Upstream, inside: Upstream, host: str, caplog: pytest.LogCaptureFixture
) -> None:
    upstream.always = redirect(f"http://{host}:{inside.url.rpartition(':')[2]}/")
    with pytest.raises(UpstreamError) as raised:
        await client.weather("Oslo")
    assert isinstance(raised.value.__cause__, ForbiddenAddressError)
    assert (len(upstream.received), inside.received) == (1, [])


@pytest.mark.parametrize(
    "location",
    [
        "http://169.254.169.254/latest/meta-data",
        "http://10.0.0.1/",
        "http://[fd00::1]/",
        "ftp://example.org/",
        "//:x",
    ],
)
async def test_a_redirect_to_what_is_not_the_public_web_is_refused(
    client: FollowingClient, upstream: Upstream, location: str
) -> None:
    upstream.always = redirect(location)
    with pytest.raises(UpstreamError) as raised:
        await client.weather("Oslo")
    assert isinstance(raised.value.__cause__, ForbiddenAddressError)


@pytest.mark.parametrize(
    "address",
    [
        *("0.0.0.0", "10.1.2.3", "100.64.0.1", "127.0.0.1", "169.254.169.254", "172.16.0.1", "192.168.1.1"),
        *("198.18.0.1", "224.0.1.1", "255.255.255.255", "::", "::1", "fe80::1", "fd00::1", "ff0e::1", "2001:db8::1"),
        *("::ffff:10.0.0.1", "2002:7f00:1::", "64:ff9b::7f00:1", "64:ff9b:1::a00:1", "2001::1"),
    ],
)
def test_addresses_that_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "::ffff:93.184.215.14"])
def test_addresses_that_are_public(address: str) -> None:
    assert is_public(address)


async def test_another_server_is_told_no_secrets(
    client: FollowingClient, upstream: Upstream, inside: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(addresses, "is_public", lambda _address: True)
    inside.always = WARM
    port = inside.url.rpartition(":")[2]
    upstream.always = redirect(f"http://localhost:{port}/there")
    assert (await client.weather("Oslo")).degrees == 21.5
    [request] = inside.received
    assert request.headers["host"] == f"localhost:{port}"
    assert set(request.headers) == {"host", "accept", "accept-encoding", "user-agent"}


class Names:
    """Answers a name with one address after the other."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)

    async def __call__(self, host: str, port: int, **_: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in self.answers.pop(0)]


async def test_what_is_connected_to_is_the_address_that_was_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    names = Names(["2606:4700::1111", "93.184.215.14"], ["127.0.0.1"])
    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", names)
    request = await pinned(httpx2.Request("GET", "https://rebinding.example/x?y=1"))
    assert str(request.url) == "https://93.184.215.14/x?y=1"
    assert (request.headers["Host"], request.extensions["sni_hostname"]) == ("rebinding.example", "rebinding.example")
    # Asked again, the name would lead to this machine.
    assert len(names.answers) == 1


async def test_a_name_with_one_address_that_is_not_public_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", Names(["93.184.215.14", "10.0.0.1"]))
    with pytest.raises(ForbiddenAddressError, match=r"10\.0\.0\.1"):
        await pinned(httpx2.Request("GET", "https://mixed.example/"))


async def test_a_redirect_to_a_name_that_does_not_exist_is_503(client: FollowingClient, upstream: Upstream) -> None:
    upstream.always = redirect("http://nowhere.invalid/")
    with pytest.raises(UpstreamUnavailableError):
        await client.weather("Oslo")


def test_https_is_never_left() -> None:
    request = httpx2.Request("GET", "https://api.example/x")
    with pytest.raises(ForbiddenAddressError, match="from https to http"):
        redirected(request, httpx2.Response(302, headers={"Location": "http://api.example/x"}))
