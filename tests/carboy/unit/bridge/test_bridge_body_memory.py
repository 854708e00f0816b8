"""Where bodies are kept: in the memory that all of them share, in files, or nowhere when there is no room."""

import asyncio
import logging
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, request
from support.asgi import Conversation, ask, http_scope, shut_down
from werkzeug.exceptions import ServiceUnavailable

from carboy.bridge import FlaskASGI


def add_echo(app: Flask) -> None:
    @app.post("/")
    async def view() -> bytes:
        return request.get_data()


@pytest.fixture
def small(app: Flask) -> FlaskASGI:
    """Serve an application with memory for two bodies of the size that one may have."""
    add_echo(app)
    return FlaskASGI(app, spool_bytes=1000, body_memory_bytes=2000)


def used(asgi: FlaskASGI) -> int:
    return asgi._bodies.memory.used  # noqa: SLF001 - nothing else tells what is held where.


def files() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - these vanish while one looks.


async def half(asgi: FlaskASGI, size: int) -> Conversation:
    """Send half a request, and wait until that has been stored."""
    conversation = Conversation(asgi, http_scope("/", "POST"), chunks=None).start()
    conversation.say(b"x" * size, more=True)
    await conversation.until(lambda: conversation.received == 2)
    return conversation


async def test_bodies_in_flight_take_no_more_memory_together_than_is_allowed(small: FlaskASGI) -> None:
    halves = [await half(small, 900) for _ in range(5)]
    # The others wait in files, and are served like these.
    assert used(small) == 1800
    for conversation in halves:
        conversation.say(b"y")
        assert (await conversation.end()).body == b"x" * 900 + b"y"
    assert used(small) == 0


async def test_a_body_counts_while_it_is_served(app: Flask, small: FlaskASGI) -> None:
    seen: list[int] = []

    @app.post("/counted")
    def counted() -> str:
        seen.append(used(small))
        request.stream.close()
        seen.append(used(small))
        return ""

    await ask(small, "/counted", method="POST", chunks=[b"x" * 600, b"x" * 300])
    assert seen == [900, 0]
    assert used(small) == 0


async def test_a_body_that_goes_to_a_file_frees_its_memory(small: FlaskASGI) -> None:
    conversation = await half(small, 900)
    assert used(small) == 900
    conversation.say(b"y" * 20_000, more=True)
    await conversation.until(lambda: conversation.received == 3)
    assert used(small) == 0
    conversation.say()
    assert (await conversation.end()).body == b"x" * 900 + b"y" * 20_000


async def test_a_body_in_many_small_pieces_is_written_in_few(small: FlaskASGI, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[int] = []
    write = tempfile.SpooledTemporaryFile.write

    def watched(file: Any, data: bytes) -> int:
        written.append(len(data))
        return write(file, data)

    monkeypatch.setattr(tempfile.SpooledTemporaryFile, "write", watched)
    pieces = [bytes([number % 251]) * 10 for number in range(5000)]
    assert (await ask(small, method="POST", chunks=pieces)).body == b"".join(pieces)
    # Each write is a trip to a thread, of which there are few.
    assert len(written) <= 6


async def test_nothing_is_left_of_a_thousand_bodies_of_all_kinds(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    app.config["MAX_CONTENT_LENGTH"] = 50_000
    monkeypatch.setattr("carboy.bridge.refusal.LINGER_SECONDS", 0)
    add_echo(app)
    asgi = FlaskASGI(app, spool_bytes=1000, body_memory_bytes=2000, body_stall_seconds=0.02)
    await one_of_each_kind(asgi)
    before = files()
    for _ in range(50):
        await one_of_each_kind(asgi)
    assert (used(asgi), files() - before) == (0, 0)


async def one_of_each_kind(asgi: FlaskASGI) -> None:
    """Make twenty requests at once: served, refused, left, given up, and stalled, in memory and in files."""
    async with asyncio.TaskGroup() as tasks:
        for size in (10, 900, 20_000, 60_000):
            tasks.create_task(ask(asgi, method="POST", chunks=[b"x" * size]))
            tasks.create_task(ask(asgi, method="POST", headers=[(b"content-length", b"x")], chunks=[b"x" * size]))
            tasks.create_task(leave(asgi, size))
            tasks.create_task(be_given_up(asgi, size))
            tasks.create_task(Conversation(asgi, http_scope("/", "POST"), chunks=None).start().end())


async def leave(asgi: FlaskASGI, size: int) -> None:
    conversation = Conversation(asgi, http_scope("/", "POST"), chunks=None).start()
    conversation.say(b"x" * size, more=True)
    conversation.leave()
    await conversation.end()


async def be_given_up(asgi: FlaskASGI, size: int) -> None:
    conversation = Conversation(asgi, http_scope("/", "POST"), chunks=None).start()
    conversation.say(b"x" * size, more=True)
    await conversation.until(lambda: conversation.received)
    assert conversation.outer is not None
    conversation.outer.cancel()
    await asyncio.wait([conversation.outer])
    await shut_down(asgi)


@pytest.fixture
def no_room(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))


@pytest.mark.usefixtures("no_room")
async def test_no_room_for_a_body_is_503_with_retry_after_and_tells_the_operator_why(
    small: FlaskASGI, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await ask(small, method="POST", chunks=[b"x" * 1001])
    assert (answer.status, answer.header("retry-after")) == (503, "10")
    lines = [line for line in caplog.record_tuples if line[0] == "carboy.bridge"]
    assert [level for _, level, _ in lines] == [logging.ERROR]
    assert "No such file or directory" in lines[0][2]
    assert used(small) == 0


@pytest.mark.usefixtures("no_room")
async def test_no_room_closes_the_connection_if_the_body_goes_on(small: FlaskASGI) -> None:
    conversation = Conversation(small, http_scope("/", "POST"), chunks=None).start()
    conversation.say(b"x" * 20_000, more=True)
    conversation.say(b"x")
    answer = await conversation.end()
    assert (answer.status, answer.header("connection")) == (503, "close")


@pytest.mark.usefixtures("no_room")
async def test_an_application_answers_in_its_own_words_when_there_is_no_room(app: Flask, small: FlaskASGI) -> None:
    @app.errorhandler(ServiceUnavailable)
    async def full(_error: ServiceUnavailable) -> tuple[str, int]:
        return "full, says the application", 503

    assert (await ask(small, method="POST", chunks=[b"x" * 1001])).text == "full, says the application"


@pytest.mark.usefixtures("no_room")
async def test_bodies_that_fit_into_memory_need_no_room_elsewhere(small: FlaskASGI) -> None:
    assert (await ask(small, method="POST", chunks=[b"x" * 1000])).status == 200
