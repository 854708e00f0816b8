"""One line of JSON for each request, by an id that the client may choose and always gets back."""

import asyncio
import json
import logging
import os
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import structlog
from dependency_injector import providers
from flask import Flask
from sqlalchemy import text
from support.asgi import Conversation, http_scope, within
from support.log_lines import *  # noqa: F403 - pytest finds fixtures among the names of a module.
from support.log_lines import Lines
from support.users import registration

from app.users.services import UserService
from carboy.config.settings import Settings
from carboy.server import create_asgi
from carboy.telemetry.stderr import Stderr
from carboy.testing import MemoryDatabase, override
from containers import Container

SECRET = "Zq7Secret"


class LoggingService(UserService):
    """Logs as a service does, and fails if it is told to."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.failure = failure

    async def get_user(self, user_id: int) -> Any:
        password = SECRET  # noqa: F841 - a local variable that no traceback may show.
        await asyncio.sleep(0)
        logging.getLogger("carboy.test").info("looking up %s", user_id)
        raise self.failure or RuntimeError("without words")


async def test_a_request_is_one_line_of_json(client: httpx.AsyncClient, lines: Lines) -> None:
    lines()
    answer = await client.get("/api/users/7?token=Zq7Secret", headers={"X-Request-ID": "mine-1"})
    [line] = lines()
    assert line.pop("duration_ms") >= 0
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "request",
        "level": "info",
        "logger": "carboy.request",
        "request_id": "mine-1",
        "method": "GET",
        "route": "/api/users/<int:user_id>",
        "status": 404,
        "client": "127.0.0.1",
    }
    assert answer.headers["X-Request-ID"] == "mine-1"


@pytest.mark.parametrize(
    "case",
    [
        ("GET", "/api/users", 200),
        ("GET", "/api/nothing", 404),
        ("PUT", "/api/users", 405),
        ("POST", "/api/users", 413),
        ("DELETE", "/api/users/1", 500),
        ("GET", "/api//users", 404),
        ("OPTIONS", "/api/users", 204),
        ("HEAD", "/health/live", 200),
    ],
)
async def test_every_answer_has_a_request_id_and_a_line(
    client: httpx.AsyncClient, container: Container, lines: Lines, case: tuple[str, str, int]
) -> None:
    method, path, status = case
    lines()
    content = b"x" * 1_048_577 if status == 413 else b""
    with override(container, **({"user_service": providers.Object(5)} if status == 500 else {})):
        answer = await client.request(method, path, content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code == status
    logged = [line for line in lines() if line["event"] == "request"]
    assert [(line["status"], line["request_id"]) for line in logged] == [(status, answer.headers["X-Request-ID"])]


@pytest.mark.parametrize("given", ["a", "x" * 128, "4bf92f35-77b3.4da6_a3ce"])
async def test_a_well_formed_request_id_is_taken_over(client: httpx.AsyncClient, given: str) -> None:
    assert (await client.get("/health/live", headers={"X-Request-ID": given})).headers["X-Request-ID"] == given


@pytest.mark.parametrize(
    "given",
    [
        b"",
        b"x" * 129,
        b"a b",
        b"a\r\nX-Evil: 1",
        b"a\n",
        b"\n",
        b"\xc3\xa9",
        b"\xff",
        b"a,b",
        b'"a"',
        b"\x00",
        b"<b>",
        b"a;b",
    ],
)
async def test_another_request_id_is_replaced(container: Container, app: Flask, lines: Lines, given: bytes) -> None:
    lines()
    scope = http_scope("/health/live", headers=[(b"x-request-id", given)])
    conversation = Conversation(create_asgi(container, app), scope).start()
    await within(conversation.outer)  # type: ignore[arg-type]  # it has been started.
    [returned] = conversation.answer.all_headers("X-Request-ID")
    assert len(returned) == 32
    assert returned.isalnum()
    assert [line["request_id"] for line in lines()] == [returned]


async def test_two_request_ids_are_none(client: httpx.AsyncClient) -> None:
    headers = [("X-Request-ID", "one"), ("X-Request-ID", "two")]
    assert (await client.get("/health/live", headers=headers)).headers["X-Request-ID"] not in {"one", "two", "one,two"}


async def test_requests_at_once_log_under_their_own_ids(
    client: httpx.AsyncClient, container: Container, lines: Lines
) -> None:
    lines()
    with override(container, user_service=providers.Object(LoggingService())):
        await asyncio.gather(
            *(client.get(f"/api/users/{number}", headers={"X-Request-ID": f"id-{number}"}) for number in range(20))
        )
    logged = lines()
    by_event = {line["event"]: line["request_id"] for line in logged if line["logger"] == "carboy.test"}
    assert by_event == {f"looking up {number}": f"id-{number}" for number in range(20)}
    logging.getLogger("carboy.test").info("afterwards")
    assert "request_id" not in lines()[0]


def test_with_the_test_client_an_id_does_not_leak_into_the_next_request(app: Flask, lines: Lines) -> None:
    lines()
    client = app.test_client()
    ids = [
        client.get("/health/live", headers=headers).headers["X-Request-ID"] for headers in ({"X-Request-ID": "a"}, {})
    ]
    assert ids[0] == "a" != ids[1]
    assert [line["request_id"] for line in lines()] == ids
    logging.getLogger("carboy.test").info("afterwards")
    assert "request_id" not in lines()[0]


async def test_an_exception_is_one_line_with_a_traceback_and_no_values(
    client: httpx.AsyncClient, container: Container, lines: Lines
) -> None:
    lines()
    service = LoggingService(ValueError("line one\nline two"))
    with override(container, user_service=providers.Object(service)):
        answer = await client.get("/api/users/7?token=Zq7Secret", headers={"Cookie": "s=Zq7Secret"})
    logged = lines()
    assert [line["event"] for line in logged] == ["looking up 7", "Exception on /api/users/7 [GET]", "request"]
    failure = logged[1]
    assert failure["level"] == "error"
    assert failure["exception"].startswith("Traceback (most recent call last):")
    assert "in get_user" in failure["exception"]
    assert failure["exception"].endswith("ValueError: line one\nline two")
    assert {line["request_id"] for line in logged} == {answer.headers["X-Request-ID"]}
    assert SECRET not in json.dumps(logged)


async def test_neither_body_nor_query_nor_headers_are_logged(client: httpx.AsyncClient, lines: Lines) -> None:
    lines()
    for body in (
        {"username": SECRET, "email": f"{SECRET}@example.org"},
        {"username": SECRET, "pass": SECRET},
        [SECRET],
    ):
        await client.post(f"/api/users?a={SECRET}", json=body, headers={"X-Secret": SECRET, "Cookie": SECRET})
    await client.get("/api/users", headers={"Authorization": f"Bearer {SECRET}"})
    logged = lines()
    assert [line["status"] for line in logged] == [201, 422, 422, 401]
    assert SECRET not in json.dumps(logged)


async def test_a_record_that_does_not_validate_is_logged_without_its_values(
    client: httpx.AsyncClient, database: MemoryDatabase, lines: Lines
) -> None:
    await client.post("/api/users", json=registration("ada"))
    # A column of SQLite's takes values of any type.
    statement = text("UPDATE users SET version = :value")
    await database.write(lambda: database.execute(statement, {"value": SECRET}, writes=True))
    lines()
    assert (await client.get("/api/users/1")).status_code == 500
    logged = lines()
    assert "ValidationError" in logged[0]["exception"]
    assert SECRET not in json.dumps(logged)


def test_starting_tells_the_environment_and_no_secret(
    container: Container, app: Flask, lines: Lines, settings: Settings
) -> None:
    lines()

    async def live() -> None:
        async with create_asgi(container, app)._lifespan():  # noqa: SLF001 - what a server makes of it is for others.
            pass

    asyncio.run(live())
    logged = lines()
    assert [line["event"] for line in logged] == ["starting in the testing environment"]
    assert settings.security.secret_key.get_secret_value() not in json.dumps(logged)


@pytest.mark.parametrize("listener", ["another handler", "a filter", "a bound variable"])
async def test_other_handlers_do_not_change_the_line_of_a_request(
    client: httpx.AsyncClient, lines: Lines, listener: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = {"X-Request-ID": "mine-1"}
    await client.get("/api/users/7", headers=headers)
    lines()
    [handler] = [handler for handler in logging.root.handlers if type(handler) is Stderr]
    monkeypatch.setattr(logging.root, "handlers", [handler])
    await client.get("/api/users/7", headers=headers)
    [alone] = lines()
    log = logging.getLogger("carboy.request")
    if listener == "another handler":
        monkeypatch.setattr(logging.root, "handlers", [handler, logging.NullHandler()])
    elif listener == "a filter":
        monkeypatch.setattr(log, "filters", [lambda record: record])
    else:
        structlog.contextvars.bind_contextvars(tenant="a")
    await client.get("/api/users/7", headers=headers)
    structlog.contextvars.clear_contextvars()
    [heard] = lines()
    if listener == "a bound variable":
        assert heard.pop("tenant") == "a"
    changing = {"timestamp": "", "duration_ms": 0}
    assert alone | changing == heard | changing
    assert alone["timestamp"][:11] == heard["timestamp"][:11]


async def test_what_a_client_sends_stays_within_its_field(
    container: Container, app: Flask, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    [handler] = [handler for handler in logging.root.handlers if type(handler) is Stderr]
    monkeypatch.setattr(logging.root, "handlers", [handler])
    lines()
    scope = http_scope("/health/live", 'GE"T\\\n', client=('a"b', 1))
    await within(Conversation(create_asgi(container, app), scope).start().outer)  # type: ignore[arg-type]  # started.
    [line] = lines()
    assert (line["method"], line["client"]) == ('GE"T\\\n', 'a"b')


@pytest.mark.parametrize("odd", [{"a", "b"}, {"n": float("nan")}, 'q"\n', None, b"\xff", [1, {"a": 2}]])
async def test_bound_context_is_added_to_the_line_and_replaces_nothing(
    client: httpx.AsyncClient, lines: Lines, odd: Any
) -> None:
    lines()
    with structlog.contextvars.bound_contextvars(**{"odd": odd, 'na"me': 1, "method": "OTHER", "request_id": "other"}):
        await client.get("/health/live", headers={"X-Request-ID": "mine-1"})
        logging.getLogger("carboy.test").info("another line")
    line, another = lines()
    assert (line["method"], line["request_id"], line['na"me']) == ("GET", "mine-1", 1)
    # The other line is written by structlog's own renderer.
    assert repr(line["odd"]) == repr(another["odd"])


async def test_there_is_one_way_to_a_request_s_line(
    client: httpx.AsyncClient, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    [handler] = [handler for handler in logging.root.handlers if type(handler) is Stderr]
    records: list[logging.LogRecord] = []
    monkeypatch.setattr(logging.root, "handlers", [handler])
    monkeypatch.setattr(handler, "emit", records.append)
    for bound in ({}, {"tenant": "a"}):
        with structlog.contextvars.bound_contextvars(**bound):
            await client.get("/health/live")
    assert [record.getMessage() for record in records if record.name == "carboy.request"] == ["request", "request"]


class Listener(logging.Handler):
    """Keeps records with what the process and the thread were at that moment."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[tuple[logging.LogRecord, logging.LogRecord]] = []

    def emit(self, record: logging.LogRecord) -> None:
        usual = logging.LogRecord(record.name, record.levelno, record.pathname, record.lineno, "request", (), None)
        self.heard.append((record, usual))


@pytest.fixture
def listener() -> Iterator[Listener]:
    listener = Listener()
    logging.getLogger("carboy.request").addHandler(listener)
    yield listener
    logging.getLogger("carboy.request").removeHandler(listener)


def ask_in_threads(app: Flask) -> None:
    def ask() -> None:
        app.test_client().get("/health/live")

    ask()
    for name in ("first", "second"):
        (thread := threading.Thread(target=ask, name=name)).start()
        thread.join()


def test_the_record_of_a_request_has_what_any_record_has(app: Flask, listener: Listener) -> None:
    ask_in_threads(app)
    assert [record.threadName for record, _ in listener.heard] == ["MainThread", "first", "second"]
    moments = {"created", "msecs", "relativeCreated"}
    for record, usual in listener.heard:
        assert vars(record).keys() - {"request"} >= vars(usual).keys()
        for name in vars(usual).keys() - moments - {"taskName"}:
            assert vars(record)[name] == vars(usual)[name], name
        assert 0 <= usual.created - record.created < 1
        assert abs((usual.relativeCreated - record.relativeCreated) / 1000 - (usual.created - record.created)) < 0.001
        assert record.msecs == int(record.created % 1 * 1000)


def test_the_record_of_a_request_in_a_forked_child_names_the_child(
    app: Flask, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask_in_threads(app)
    listener.heard.clear()
    monkeypatch.setattr(os, "getpid", lambda: 7)
    app.test_client().get("/health/live")
    assert [record.process for record, _ in listener.heard] == [7]


def test_a_record_factory_of_the_application_s_own_makes_the_records_of_requests_too(
    app: Flask, listener: Listener
) -> None:
    class Traced(logging.LogRecord):
        trace = "4bf92f35"

    before = logging.getLogRecordFactory()
    logging.setLogRecordFactory(Traced)
    try:
        app.test_client().get("/health/live")
    finally:
        logging.setLogRecordFactory(before)
    assert [getattr(record, "trace", None) for record, _ in listener.heard] == ["4bf92f35"]
