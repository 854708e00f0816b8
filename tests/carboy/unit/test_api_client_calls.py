"""What a call of somebody else's API says of itself, and how long it waits before it is repeated."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx2
import pytest
import structlog
from flask import Flask
from support.clients import SETTINGS, WeatherClient

from carboy.clients import HttpClient, UpstreamError, UpstreamUnavailableError
from carboy.clients.retries import attempts, retry_after_of

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


class Recorder:
    """Answers in place of the network, and keeps what it is asked."""

    def __init__(self) -> None:
        self.headers = httpx2.Headers()

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.headers = request.headers
        return httpx2.Response(200, json={"degrees": 1})


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
async def client(recorder: Recorder) -> AsyncIterator[WeatherClient]:
    http = HttpClient(SETTINGS, transport=httpx2.MockTransport(recorder))
    http.open()
    yield WeatherClient(http, "https://api.example")
    await http.close()


async def test_the_ids_of_a_request_go_with_the_calls_that_it_makes(
    app: Flask, client: WeatherClient, recorder: Recorder
) -> None:
    headers = {"X-Request-ID": "request-1", "traceparent": TRACE, "tracestate": "a=1,b=2"}
    with app.test_request_context(headers=headers):
        await client.weather("Oslo")
    assert {name: recorder.headers[name] for name in headers} == headers


async def test_a_request_without_ids_is_given_one_that_goes_with_its_calls(
    app: Flask, client: WeatherClient, recorder: Recorder
) -> None:
    with app.test_request_context():
        await client.weather("Oslo")
        first = recorder.headers["X-Request-ID"]
        await client.weather("Oslo")
    assert first == recorder.headers["X-Request-ID"]
    assert "traceparent" not in recorder.headers


@pytest.mark.parametrize(
    "trace", ["", "00-0-0-00", f"ff{TRACE[2:]}", TRACE.upper(), f"00-{'0' * 32}-00f067aa0ba902b7-01", f"{TRACE}\tx"]
)
async def test_a_trace_that_is_none_does_not_go_on(
    app: Flask, client: WeatherClient, recorder: Recorder, trace: str
) -> None:
    with app.test_request_context(headers={"traceparent": trace, "tracestate": "a=1"}):
        await client.weather("Oslo")
    assert not {"traceparent", "tracestate"} & set(recorder.headers)


async def test_outside_a_request_the_ids_of_the_log_go_with_a_call(client: WeatherClient, recorder: Recorder) -> None:
    await client.weather("Oslo")
    assert "X-Request-ID" not in recorder.headers
    with structlog.contextvars.bound_contextvars(request_id="request-1", traceparent=TRACE):
        await client.weather("Oslo")
    assert (recorder.headers["X-Request-ID"], recorder.headers["traceparent"]) == ("request-1", TRACE)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0),
        ("120", 120),
        ("", None),
        ("soon", None),
        ("-1", None),
        ("1.5", None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0),
    ],
)
def test_retry_after_is_a_number_of_seconds_or_a_date(value: str, seconds: float | None) -> None:
    assert retry_after_of(httpx2.Headers({"Retry-After": value})) == seconds


def test_retry_after_may_be_a_date_to_come() -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    assert retry_after_of(httpx2.Headers({"Retry-After": date})) == pytest.approx(99, abs=5)


async def waits(monkeypatch: pytest.MonkeyPatch, error: UpstreamError, *, seconds: float = 10) -> list[float]:
    """Let all attempts at a call fail, and return what was waited between them, without waiting."""
    waited: list[float] = []

    async def sleep(delay: float) -> None:
        waited.append(delay)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    deadline = asyncio.get_running_loop().time() + seconds
    with suppress(UpstreamError):
        async for attempt in attempts(SETTINGS, deadline, may_repeat=True):
            with attempt:
                raise error
    return waited


async def test_waits_grow_and_are_at_random(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = await waits(monkeypatch, UpstreamError(is_transient=True))
    assert 0.1 <= first <= 0.2 <= second <= 0.3
    assert [first, second] != await waits(monkeypatch, UpstreamError(is_transient=True))


async def test_it_waits_as_long_as_it_is_asked_to(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await waits(monkeypatch, UpstreamUnavailableError(is_transient=True, retry_after=1.2)) == [2, 2]
    assert await waits(monkeypatch, UpstreamUnavailableError(is_transient=True, retry_after=0)) == [0, 0]


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (UpstreamError(), 10),
        (UpstreamUnavailableError(is_transient=True, retry_after=SETTINGS.retry_after_max + 1), 10),
        (UpstreamUnavailableError(is_transient=True, retry_after=2), 1.9),
        (UpstreamError(is_transient=True), 0.9),
    ],
    ids=["in vain", "longer than the cap", "longer than is left", "no time left"],
)
async def test_it_does_not_wait_in_vain(monkeypatch: pytest.MonkeyPatch, error: UpstreamError, seconds: float) -> None:
    assert await waits(monkeypatch, error, seconds=seconds) == []
