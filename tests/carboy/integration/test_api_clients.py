"""A client of somebody else's API, which is slow, wrong, cut off or down."""

import asyncio
import gzip
import json
import logging
import socket
from collections.abc import AsyncIterator
from http import HTTPStatus

import pytest
import pytest_asyncio
from support.asgi import eventually
from support.clients import SETTINGS, CityNotFoundError, Weather, WeatherClient, http_client, seen, state_of
from support.upstream import Behaviour, Upstream, answer, babble, cut_off, drip, hang_up, redirect, stall

from carboy.clients import HttpClient, UpstreamError, UpstreamTimeoutError, UpstreamUnavailableError
from carboy.clients.attempts import is_outage
from carboy.clients.breaker import CircuitBreaker

WARM = answer({"degrees": 21.5, "wind": "more than was asked for"})


@pytest_asyncio.fixture
async def upstream() -> AsyncIterator[Upstream]:
    upstream = Upstream()
    upstream.always = WARM
    async with upstream.serving():
        yield upstream


@pytest_asyncio.fixture
async def http() -> AsyncIterator[HttpClient]:
    async with http_client() as http:
        yield http


@pytest_asyncio.fixture
async def client(http: HttpClient, upstream: Upstream) -> WeatherClient:
    return WeatherClient(http, f"{upstream.url}/v2/", headers={"Authorization": "Bearer secret"})


async def test_an_answer_is_a_value_of_its_type(client: WeatherClient, upstream: Upstream) -> None:
    assert await client.weather("Oslo", units="metric") == Weather(degrees=21.5)
    [request] = upstream.received
    assert (request.method, request.target) == ("GET", "/v2/cities/Oslo?units=metric")
    assert request.headers["authorization"] == "Bearer secret"
    assert request.headers["user-agent"] == "carboy-tests"
    assert client.outcomes["ok"] == 1


async def test_a_segment_of_the_path_stays_one_segment(client: WeatherClient, upstream: Upstream) -> None:
    await client.weather("../a/b?c#d é")
    assert upstream.received[0].target == "/v2/cities/..%2Fa%2Fb%3Fc%23d%20%C3%A9"
    for nowhere in ("", ".", ".."):
        with pytest.raises(ValueError, match="segment"):
            await client.weather(nowhere)
    assert len(upstream.received) == 1


async def test_a_status_that_means_something_is_a_declared_error(client: WeatherClient, upstream: Upstream) -> None:
    upstream.script.append(answer({}, 404))
    with pytest.raises(CityNotFoundError):
        await client.weather("Atlantis")
    assert client.outcomes == {"retries": 0, "ok": 1}


@pytest.mark.parametrize("status", [301, 400, 401, 404, 418, 501])
async def test_any_other_error_of_the_request_is_502_and_not_repeated(
    client: WeatherClient, upstream: Upstream, status: int
) -> None:
    upstream.always = answer({}, status)
    with pytest.raises(UpstreamError) as raised:
        await client.report(21.5, key="k")
    assert (raised.value.status, raised.value.upstream_status) == (HTTPStatus.BAD_GATEWAY, status)
    assert len(upstream.received) == 1
    assert state_of(client) == "closed"


@pytest.mark.parametrize(
    "trouble", [answer({}, 500), answer({}, 503), answer({}, 429, Retry_After="0"), hang_up, cut_off]
)
async def test_a_call_that_may_be_repeated_is_repeated(
    client: WeatherClient, upstream: Upstream, trouble: Behaviour
) -> None:
    upstream.script += [trouble, trouble]
    assert (await client.weather("Oslo")).degrees == 21.5
    assert len(upstream.received) == 3
    assert client.outcomes == {"retries": 2, "ok": 1}


async def test_it_is_repeated_a_few_times_only(client: WeatherClient, upstream: Upstream) -> None:
    upstream.always = answer({}, 502)
    with pytest.raises(UpstreamError):
        await client.weather("Oslo")
    assert len(upstream.received) == SETTINGS.attempts


@pytest.mark.parametrize(
    "trouble", [answer({}, 500), answer({}, 503), answer({}, 429, Retry_After="0"), hang_up, stall]
)
async def test_a_post_is_repeated_only_with_an_idempotency_key(
    client: WeatherClient, upstream: Upstream, trouble: Behaviour
) -> None:
    upstream.script.append(trouble)
    with pytest.raises(UpstreamError):
        await client.report(21.5)
    assert len(upstream.received) == 1
    upstream.script.append(trouble)
    assert (await client.report(21.5, key="report-1")).degrees == 21.5
    first, second = upstream.received[1:]
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"] == "report-1"
    assert json.loads(first.body) == json.loads(second.body) == {"degrees": 21.5}


async def test_an_api_that_wants_to_be_left_alone_for_long_is_not_tried_again(
    client: WeatherClient, upstream: Upstream
) -> None:
    upstream.always = answer({}, 429, Retry_After="3600")
    with pytest.raises(UpstreamUnavailableError) as raised:
        await client.weather("Oslo")
    assert (raised.value.retry_after, len(upstream.received)) == (3600, 1)


@pytest.mark.parametrize("slow", [stall, drip])
async def test_an_answer_that_takes_too_long_is_504(upstream: Upstream, slow: Behaviour) -> None:
    upstream.always = slow
    async with http_client(total_timeout=0.4) as http:
        client = WeatherClient(http, upstream.url)
        loop = asyncio.get_running_loop()
        begun = loop.time()
        with pytest.raises(UpstreamTimeoutError) as raised:
            await client.weather("Oslo")
        # A read time-out, or the one in all; on a busy machine a little later.
        assert loop.time() - begun < 5
        assert raised.value.status == HTTPStatus.GATEWAY_TIMEOUT
        assert client.outcomes["upstream_timeout"] == 1


@pytest.mark.parametrize(
    "wrong",
    [
        babble,
        cut_off,
        answer(b"<html>Welcome to the hotel</html>"),
        answer({"degrees": "personal-data"}),
        answer(b" " * (SETTINGS.max_answer_bytes + 1)),
        answer(gzip.compress(b" " * 50_000_000), Content_Encoding="gzip"),
        answer(b"no gzip", Content_Encoding="gzip"),
    ],
    ids=["no HTTP", "cut off", "HTML", "of another type", "too large", "too large when unpacked", "not unpackable"],
)
async def test_an_answer_that_is_wrong_is_502_and_its_content_is_not_logged(
    client: WeatherClient, upstream: Upstream, wrong: Behaviour, caplog: pytest.LogCaptureFixture
) -> None:
    upstream.always = wrong
    with pytest.raises(UpstreamError) as raised:
        await client.weather("personal-city")
    assert (raised.value.status, raised.value.code) == (HTTPStatus.BAD_GATEWAY, "upstream_error")
    warnings = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert warnings
    assert "personal" not in "".join(warnings)


async def test_an_api_that_is_down_is_503(http: HttpClient) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        client = WeatherClient(http, f"http://127.0.0.1:{closed.getsockname()[1]}")
        with pytest.raises(UpstreamUnavailableError) as raised:
            await client.weather("Oslo")
    assert raised.value.status == HTTPStatus.SERVICE_UNAVAILABLE


async def test_an_api_that_keeps_failing_is_left_alone_until_one_call_finds_it_back(
    client: WeatherClient, upstream: Upstream
) -> None:
    now = 0.0
    client.breaker = CircuitBreaker(5, 60.0, is_outage, lambda: now)
    upstream.always = answer({}, 500)
    for _ in range(10):
        with pytest.raises(UpstreamError):
            await client.report(1.0)
    assert (len(upstream.received), state_of(client), await client.ping()) == (5, "open", "unavailable")
    with pytest.raises(UpstreamUnavailableError) as raised:
        await client.weather("Oslo")
    assert raised.value.retry_after == 60

    now = 60.0
    back = asyncio.Event()

    async def slowly(writer: asyncio.StreamWriter) -> None:
        await back.wait()
        await WARM(writer)

    upstream.always = slowly
    calls = [asyncio.create_task(client.report(1.0)) for _ in range(10)]
    await eventually(lambda: sum(call.done() for call in calls) == 9)
    back.set()
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    answers = [outcome for outcome in outcomes if not isinstance(outcome, UpstreamUnavailableError)]
    assert (answers, len(upstream.received)) == ([Weather(degrees=21.5)], 6)
    assert (state_of(client), await client.ping()) == ("closed", None)


async def test_a_slow_api_is_down_but_a_busy_one_is_not(client: WeatherClient, upstream: Upstream) -> None:
    upstream.always = answer({}, 429)
    for _ in range(6):
        with pytest.raises(UpstreamUnavailableError):
            await client.report(1.0)
    assert state_of(client) == "closed"
    upstream.always = stall
    for _ in range(5):
        with pytest.raises(UpstreamTimeoutError):
            await client.report(1.0)
    assert state_of(client) == "open"


async def test_a_slow_api_has_so_many_calls_at_once_and_holds_up_no_other(upstream: Upstream) -> None:
    async with http_client(read_timeout=10, total_timeout=10) as http:
        client, slow = WeatherClient(http, upstream.url), Upstream()
        slow.always = stall
        async with slow.serving():
            stuck = WeatherClient(http, slow.url)
            calls = [asyncio.create_task(stuck.weather("Oslo")) for _ in range(30)]
            await seen(slow, SETTINGS.max_calls)
            for _ in range(5):
                assert (await client.weather("Oslo")).degrees == 21.5
            assert slow.most_at_once == SETTINGS.max_calls
            for call in calls:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)
            # Those who have left leave their places, and say nothing of the API.
            slow.always = WARM
            assert (await stuck.weather("Oslo")).degrees == 21.5
            assert state_of(stuck) == "closed"


async def test_whoever_waits_for_a_place_too_long_is_told_504(
    upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    upstream.always = stall
    async with http_client(read_timeout=10, max_calls=1) as http:
        client = WeatherClient(http, upstream.url)
        first = asyncio.create_task(client.weather("Oslo"))
        await seen(upstream, 1)
        monkeypatch.setattr(client, "_settings", SETTINGS.model_copy(update={"total_timeout": 0.05}))
        with pytest.raises(UpstreamTimeoutError):
            await client.weather("Bergen")
        assert not first.done()
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
    assert len(upstream.received) == 1


async def test_no_cookies_are_kept(client: WeatherClient, upstream: Upstream) -> None:
    upstream.script.append(answer({"degrees": 1}, Set_Cookie="session=of-somebody; Path=/"))
    await client.weather("Oslo")
    await client.weather("Oslo")
    assert "cookie" not in upstream.received[1].headers


async def test_connections_are_kept_and_closed_with_the_application(
    upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    async with http_client() as http:
        client = WeatherClient(http, upstream.url)
        await client.weather("Oslo")
    with pytest.raises(RuntimeError, match="not open"):
        await client.weather("Oslo")


async def test_a_redirect_is_not_followed_unless_the_client_says_so(client: WeatherClient, upstream: Upstream) -> None:
    upstream.always = redirect(f"{upstream.url}/elsewhere")
    with pytest.raises(UpstreamError):
        await client.weather("Oslo")
    assert len(upstream.received) == 1
