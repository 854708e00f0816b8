"""How long the bridge waits for a body. The event loop goes by a clock that the client turns."""

import asyncio
from collections.abc import Iterable
from itertools import repeat
from typing import Any, cast

import pytest
from asgiref.typing import ASGIReceiveEvent, ASGISendEvent
from flask import Flask, request
from support.asgi import Answer, Header, http_scope, within
from werkzeug.exceptions import RequestTimeout

from carboy.bridge import FlaskASGI


class SlowClient:
    """A client whose chunks each take some seconds.

    Args:
        chunks: The chunks, each with the seconds before it; the last one ends the body.
    """

    def __init__(self, chunks: Iterable[tuple[float, bytes]], monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        self.answer = Answer()
        self._chunks = iter(chunks)
        self._next = next(self._chunks, None)
        monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: self.now)

    async def post(self, asgi: FlaskASGI, *headers: Header, **changes: Any) -> Answer:
        scope = http_scope(method="POST", headers=headers, **changes)
        await asgi(scope, self._receive, self._send)
        return self.answer

    async def _receive(self) -> ASGIReceiveEvent:
        if self._next is None:
            return {"type": "http.disconnect"}
        seconds, chunk = self._next
        if seconds:
            await asyncio.sleep(0)
            self.now += seconds
            # The loop looks at its timers once in each turn, after what was ready before.
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        self._next = next(self._chunks, None)
        return {"type": "http.request", "body": chunk, "more_body": self._next is not None}

    async def _send(self, message: ASGISendEvent) -> None:
        self.answer.messages.append(message)


@pytest.fixture
def called(app: Flask) -> list[int]:
    """Return the lengths of the bodies for which a view was called."""
    called: list[int] = []

    @app.post("/")
    async def view() -> str:
        called.append(len(request.get_data()))
        return "served"

    return called


async def test_a_body_that_stalls_is_408_after_ten_seconds(
    asgi: FlaskASGI, called: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    client = SlowClient([(0, b"x" * 500_000), (10.1, b"x")], monkeypatch)
    answer = await client.post(asgi)
    assert (answer.status, answer.header("connection"), called) == (408, "close", [])


async def test_a_body_that_pauses_for_less_is_served(
    asgi: FlaskASGI, called: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    client = SlowClient([(9.9, b"x" * 5000)] * 3, monkeypatch)
    assert (await client.post(asgi)).status == 200
    assert called == [15000]


@pytest.mark.parametrize("before", [0, 511 * 1024])
async def test_a_body_that_trickles_is_408_whatever_came_before(
    asgi: FlaskASGI, called: list[int], monkeypatch: pytest.MonkeyPatch, before: int
) -> None:
    def trickle() -> Iterable[tuple[float, bytes]]:
        yield 0, b"x" * before
        yield from repeat((5, b"x"))

    client = SlowClient(trickle(), monkeypatch)
    monkeypatch.setattr("carboy.bridge.refusal.LINGER_SECONDS", 0)
    answer = await within(client.post(asgi))
    assert (answer.status, called) == (408, [])
    assert client.now <= 15


@pytest.mark.parametrize(("rate", "status"), [(450, 408), (600, 200)])
async def test_a_body_must_come_at_a_least_rate(
    asgi: FlaskASGI, called: list[int], monkeypatch: pytest.MonkeyPatch, rate: int, status: int
) -> None:
    client = SlowClient([(1, b"x" * rate)] * 1000, monkeypatch)
    monkeypatch.setattr("carboy.bridge.refusal.LINGER_SECONDS", 0)
    assert (await client.post(asgi)).status == status
    assert called == ([rate * 1000] if status == 200 else [])


async def test_a_client_is_not_blamed_for_the_time_that_the_server_takes(
    asgi: FlaskASGI, called: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    client = SlowClient([(0, b"x")] * 3, monkeypatch)
    # However late the server asks, what has been sent is there.
    receive = client._receive  # noqa: SLF001

    async def late() -> ASGIReceiveEvent:
        client.now += 60
        return await receive()

    monkeypatch.setattr(client, "_receive", late)
    assert (await client.post(asgi)).status == 200
    assert called == [3]


async def test_a_body_that_comes_at_once_sets_no_timer(
    asgi: FlaskASGI, called: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object, **_options: object) -> None:
        raise AssertionError("A timer was set.")

    loop = asyncio.get_running_loop()
    client = SlowClient([(0, b"x"), (0, b"")], monkeypatch)
    monkeypatch.setattr(loop, "call_at", fail)
    monkeypatch.setattr(loop, "call_later", fail)
    answer = await client.post(asgi)
    assert (answer.status, called) == (200, [1])


async def test_an_application_answers_to_a_slow_body_in_its_own_words(
    app: Flask, asgi: FlaskASGI, called: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    @app.errorhandler(RequestTimeout)
    async def too_slow(_error: RequestTimeout) -> tuple[str, int]:
        return "too slow, says the application", 408

    client = SlowClient([(11, b"x")], monkeypatch)
    assert (await client.post(asgi)).text == "too slow, says the application"


async def test_a_hook_that_reads_a_slow_body_answers_408(
    app: Flask, asgi: FlaskASGI, monkeypatch: pytest.MonkeyPatch
) -> None:
    @app.before_request
    def read() -> None:
        request.get_data()

    # Without the hook it would be 404: there is no view.
    assert (await SlowClient([(11, b"x")], monkeypatch).post(asgi)).status == 408


async def test_a_server_whose_messages_are_no_coroutines_is_understood(
    asgi: FlaskASGI, called: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    client = SlowClient([(1, b"x"), (11, b"x")], monkeypatch)
    receive = client._receive  # noqa: SLF001

    def receive_future() -> asyncio.Future[ASGIReceiveEvent]:
        return asyncio.ensure_future(receive())

    monkeypatch.setattr(client, "_receive", cast("Any", receive_future))
    assert (await client.post(asgi)).status == 408
