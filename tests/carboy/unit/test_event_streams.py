"""Streams of server-sent events: what is sent, and how they end."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from flask import Flask
from pydantic import BaseModel
from support.asgi import Conversation, eventually, http_scope, within

from carboy.api import ApiBlueprint, EventStream, LastEventId
from carboy.api.openapi.document import describe
from carboy.bridge import FlaskASGI
from carboy.config.settings import Settings
from carboy.errors import DatabaseUnavailableError
from carboy.schemas.events import Event
from carboy.server import create_asgi
from carboy.testing import client_of, override
from containers import Container

pytestmark = pytest.mark.own_app


class Tick(BaseModel):
    number: int
    text: str = "a\nb"


class Ticker:
    """What the views of these tests stream."""

    def __init__(self) -> None:
        self.more: asyncio.Queue[int] = asyncio.Queue()
        self.log: list[str] = []

    async def count(self, start: int) -> AsyncGenerator[Event[Tick], None]:
        for number in range(start, 3):
            yield Event(Tick(number=number), id=str(number), name="tick")

    async def follow(self) -> AsyncGenerator[Event[Tick], None]:
        self.log.append("begun")
        try:
            async with asyncio.timeout(60):
                while True:
                    yield Event(Tick(number=await self.more.get()))
        finally:
            await asyncio.sleep(0)
            self.log.append("closed")

    async def lose(self) -> AsyncGenerator[Event[Tick], None]:
        yield Event(Tick(number=1))
        raise DatabaseUnavailableError

    async def fail(self) -> AsyncGenerator[Event[Tick], None]:
        yield Event(Tick(number=1))
        raise LookupError("secret")


@pytest.fixture
def ticker() -> Ticker:
    return Ticker()


@pytest.fixture
def ticking(app: Flask, ticker: Ticker) -> Flask:
    ticks = ApiBlueprint("ticks", __name__, url_prefix="/ticks", description="Ticks.")

    @ticks.get("/count")
    async def count_ticks(last: LastEventId) -> EventStream[Tick]:
        """Count."""
        return EventStream(ticker.count(int(last) + 1 if last is not None else 0))

    @ticks.get("/follow")
    async def follow_ticks() -> EventStream[Tick]:
        """Follow."""
        return EventStream(ticker.follow())

    @ticks.get("/seen")
    async def see_ticks(last: LastEventId) -> EventStream[Tick]:
        """See."""
        return EventStream(None if last == "2" else ticker.count(0))

    @ticks.get("/lose")
    async def lose_ticks() -> EventStream[Tick]:
        """Lose."""
        return EventStream(ticker.lose())

    @ticks.get("/fail")
    async def fail_ticks() -> EventStream[Tick]:
        """Fail."""
        return EventStream(ticker.fail())

    app.register_blueprint(ticks)
    return app


@pytest_asyncio.fixture
async def asgi(container: Container, ticking: Flask) -> AsyncIterator[FlaskASGI]:
    asgi = create_asgi(container, ticking)
    async with client_of(asgi):
        yield asgi


@pytest_asyncio.fixture
async def client(container: Container, ticking: Flask) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(create_asgi(container, ticking)) as client:
        yield client


async def test_a_stream_has_each_event_with_its_id_and_name(client: httpx.AsyncClient) -> None:
    answer = await client.get("/ticks/count", headers={"Accept": "text/event-stream", "Accept-Encoding": "gzip, br"})
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/event-stream"
    assert (answer.headers["Cache-Control"], answer.headers["X-Accel-Buffering"]) == ("no-store", "no")
    assert not {"content-encoding", "etag", "content-length"} & set(answer.headers)
    retry, *events, end = answer.text.split("\n\n")
    assert (retry, end) == ("retry: 3000", "")
    assert events == [f'id: {number}\nevent: tick\ndata: {{"number":{number},"text":"a\\nb"}}' for number in range(3)]


async def test_a_client_that_comes_again_says_what_it_has_seen(client: httpx.AsyncClient) -> None:
    answer = await client.get("/ticks/count", headers={"Last-Event-ID": "1"})
    assert answer.text.count("data:") == 1
    assert "id: 2\n" in answer.text


async def test_a_client_that_wants_json_is_406(client: httpx.AsyncClient) -> None:
    answer = await client.get("/ticks/count", headers={"Accept": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (406, "not_acceptable")
    assert "text/event-stream" in answer.json()["detail"]


async def test_events_are_sent_as_they_come(asgi: FlaskASGI, ticker: Ticker) -> None:
    conversation = Conversation(asgi, http_scope("/ticks/follow")).start()
    for number in range(3):
        ticker.more.put_nowait(number)
        await eventually(lambda number=number: f'"number":{number}' in conversation.answer.text)  # type: ignore[misc]
    assert not conversation.answer.complete
    conversation.leave()
    await eventually(lambda: ticker.log == ["begun", "closed"])


async def test_a_client_that_leaves_is_noticed_where_nothing_happens(
    asgi: FlaskASGI, container: Container, ticker: Ticker
) -> None:
    conversation = Conversation(asgi, http_scope("/ticks/follow")).start()
    await eventually(lambda: ticker.log == ["begun"])
    assert container.event_streams().count == 1
    conversation.leave()
    await eventually(lambda: ticker.log == ["begun", "closed"])
    await eventually(lambda: container.event_streams().count == 0)


async def test_a_stream_where_nothing_happens_has_heartbeats(
    container: Container, settings: Settings, ticker: Ticker, ticking: Flask
) -> None:
    http = settings.http.model_copy(update={"event_heartbeat_seconds": 0.01})
    with override(container, settings=settings.model_copy(update={"http": http}), database=container.database()):
        asgi = create_asgi(container, ticking)
        async with client_of(asgi):
            conversation = Conversation(asgi, http_scope("/ticks/follow")).start()
            await eventually(lambda: conversation.answer.text.count(":\n\n") >= 3)
            # The generator behind it has not noticed.
            ticker.more.put_nowait(7)
            await eventually(lambda: '"number":7' in conversation.answer.text)
            assert ticker.log == ["begun"]
            conversation.leave()


async def test_a_stream_lasts_its_time_and_ends_well(
    container: Container, settings: Settings, ticker: Ticker, ticking: Flask
) -> None:
    http = settings.http.model_copy(update={"event_stream_seconds": 0.05})
    with override(container, settings=settings.model_copy(update={"http": http}), database=container.database()):
        async with client_of(create_asgi(container, ticking)) as client:
            answer = await client.get("/ticks/follow")
            assert (answer.status_code, answer.text) == (200, "retry: 3000\n\n")
            assert ticker.log == ["begun", "closed"]
            assert (container.event_streams().opened, container.event_streams().count) == (1, 0)


async def test_a_client_that_has_seen_all_is_told_to_stay_away(client: httpx.AsyncClient) -> None:
    first = await client.get("/ticks/seen")
    assert (first.status_code, first.text.count("data:")) == (200, 3)
    again = await client.get("/ticks/seen", headers={"Last-Event-ID": "2"})
    assert (again.status_code, again.content) == (204, b"")


async def test_a_stream_whose_database_is_away_ends_so_that_its_client_comes_again(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await client.get("/ticks/lose")
    assert answer.status_code == 200
    assert answer.text.count("data:") == 1
    assert [record.levelname for record in caplog.records if "a stream ends early" in record.message] == ["WARNING"]


async def test_shutdown_ends_streams_and_sends_their_clients_elsewhere(
    asgi: FlaskASGI, container: Container, ticker: Ticker
) -> None:
    open_before = Conversation(asgi, http_scope("/ticks/follow")).start()
    await eventually(lambda: ticker.log == ["begun"])
    await asyncio.to_thread(container.health_service().begin_shutdown)
    await eventually(lambda: open_before.answer.complete)
    assert ticker.log == ["begun", "closed"]
    come_too_late = Conversation(asgi, http_scope("/ticks/follow")).start()
    await eventually(lambda: come_too_late.answer.complete)
    for answer in (open_before.answer, come_too_late.answer):
        assert answer.status == 200
        last = answer.text.removesuffix("\n\n").rpartition("\n\n")[2]
        assert 1000 <= int(last.removeprefix("retry: ")) <= 3000


async def test_an_error_in_a_stream_cuts_it_off_and_says_nothing(asgi: FlaskASGI) -> None:
    conversation = Conversation(asgi, http_scope("/ticks/fail")).start()
    assert conversation.outer is not None
    with pytest.raises(LookupError):
        await within(conversation.outer)
    assert '"number":1' in conversation.answer.text
    assert "secret" not in conversation.answer.text
    assert not conversation.answer.complete


def test_an_event_cannot_break_out_of_its_line() -> None:
    for wrong in ({"id": "1\ndata: x"}, {"name": "a\rb"}, {"id": "\0"}):
        with pytest.raises(ValueError, match="one line"):
            Event(Tick(number=1), **wrong)


def test_a_stream_is_in_the_document(ticking: Flask) -> None:
    document = describe(ticking)
    operation: Any = document["paths"]["/ticks/count"]["get"]
    content = operation["responses"]["200"]["content"]
    assert set(content) == {"text/event-stream"}
    data = content["text/event-stream"]["schema"]["properties"]["data"]
    assert data["contentSchema"] == {"$ref": "#/components/schemas/Tick"}
    assert "Last-Event-ID" in str(operation["parameters"])
    assert "204" in operation["responses"]
    assert "204" not in document["paths"]["/ticks/follow"]["get"]["responses"]


async def test_streams_and_their_events_are_counted(client: httpx.AsyncClient, container: Container) -> None:
    for _ in range(2):
        await client.get("/ticks/count")
    series = container.metrics().registry.get_sample_value
    assert series("carboy_event_streams") == 0
    assert series("carboy_event_streams_opened_total") == 2
    assert series("carboy_events_sent_total") == 6
