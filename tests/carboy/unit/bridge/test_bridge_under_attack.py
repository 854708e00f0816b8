"""Many requests at once whose clients stall, leave and are given up at every possible moment."""

import asyncio
import os
import random
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, Response, g, request, send_file, stream_with_context
from support.asgi import PATIENCE, Conversation, ask, eventually, http_scope, shut_down, within
from support.sizes import size

from carboy.bridge import FlaskASGI, client, sync_iterator
from carboy.bridge.loops import MOST_FILE_THREADS


@pytest.fixture(autouse=True)
def short_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "STREAM_GRACE_SECONDS", 0.01)


class Balance:
    """Counts what was opened and not closed; teardown runs once for each request that was begun."""

    def __init__(self) -> None:
        self.open = 0
        self.begun = 0
        self.torn_down = 0


@pytest.fixture
def balance(app: Flask, tmp_path: Path) -> Balance:  # noqa: C901 - one view of each kind.
    file = tmp_path / "file"
    file.write_bytes(b"x" * 700_000)
    balance = Balance()

    def generate() -> Iterator[bytes]:
        balance.open += 1
        try:
            for _ in range(5):
                yield b"x" * 100
                if request.args.get("fail"):
                    raise LookupError("midway")
        finally:
            balance.open -= 1

    async def agenerate() -> AsyncIterator[bytes]:
        balance.open += 1
        try:
            for _ in range(5):
                await asyncio.sleep(0)
                yield b"x" * 100
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            balance.open -= 1

    def read() -> bytes:
        return request.get_data()

    @app.before_request
    async def before() -> None:
        balance.begun += 1
        g.torn = False

    @app.teardown_request
    async def teardown(_error: BaseException | None) -> None:
        await asyncio.sleep(0)
        if not g.torn:
            g.torn = True
            balance.torn_down += 1

    app.add_url_rule("/0", "0", agenerate, methods=["POST"])
    app.add_url_rule("/1", "1", lambda: stream_with_context(generate()), methods=["POST"])
    app.add_url_rule("/2", "2", lambda: Response(stream_with_context(sync_iterator(agenerate()))), methods=["POST"])
    app.add_url_rule("/3", "3", lambda: send_file(file), methods=["POST"])
    app.add_url_rule("/4", "4", read, methods=["POST"])

    @app.post("/5")
    async def echo() -> bytes:
        await asyncio.sleep(0)
        return request.get_data()

    return balance


KINDS = range(6)


async def end_of(conversation: Conversation, asgi: FlaskASGI) -> None:
    """Wait for the outer call and for the request that may outlive it."""
    assert conversation.outer is not None
    tasks = [conversation.outer, *asgi.requests]
    await asyncio.wait(tasks, timeout=PATIENCE)
    assert conversation.outer.done()
    if not conversation.outer.cancelled():
        error = conversation.outer.exception()
        assert error is None or isinstance(error, LookupError)


@pytest.mark.parametrize("how", ["leave", "give up", "leave and give up"])
@pytest.mark.parametrize("kind", KINDS)
async def test_a_request_may_end_at_each_of_its_messages(app: Flask, balance: Balance, kind: int, how: str) -> None:
    asgi = FlaskASGI(app, spool_bytes=50)
    for moment in range(9):
        conversation = Conversation(asgi, http_scope(f"/{kind}", "POST"), chunks=None, slow=True).start()
        # Moments 0 to 2 are before, within and after the body; then there is one for each message of the response.
        for part in range(min(moment, 2)):
            conversation.say(b"x" * 40, more=part == 0)
        for number in range(moment - 2):
            await conversation.until_offered(number + 1)
            conversation.take()
        if "leave" in how:
            conversation.leave()
        if "give up" in how and conversation.outer is not None:
            conversation.outer.cancel()
        # The server takes what else is sent, as hypercorn does for a connection that is gone.
        for _ in range(20):
            conversation.take()
        await end_of(conversation, asgi)
    await shut_down(asgi)
    assert balance.open == 0
    assert balance.torn_down == balance.begun > 0


async def test_a_hundred_requests_at_once_with_random_disconnects_all_end(app: Flask, balance: Balance) -> None:
    asgi = FlaskASGI(app, threads=8, spool_bytes=50)
    dice = random.Random(7)  # noqa: S311 - a fixed seed, so that a failure can be had again.

    async def visit(number: int) -> None:
        target = f"/{number % len(KINDS)}{'?fail=1' if dice.random() < 0.2 else ''}"
        conversation = Conversation(asgi, http_scope(target, "POST"), chunks=None, slow=True).start()
        for more in (True, False):
            conversation.say(b"x" * 40, more=more)
            for _ in range(dice.randrange(5)):
                await asyncio.sleep(0)
        for _ in range(dice.randrange(12)):
            conversation.take()
            await asyncio.sleep(0)
        if dice.random() < 0.3 and conversation.outer is not None:
            conversation.outer.cancel()
        conversation.leave()
        for _ in range(20):
            conversation.take()
        await end_of(conversation, asgi)

    await within(asyncio.gather(*(visit(number) for number in range(100))), 50)
    await shut_down(asgi)
    assert balance.open == 0
    assert balance.torn_down == balance.begun > 0
    # And it serves on.
    assert (await ask(asgi, "/5", method="POST", chunks=[b"still here"])).text == "still here"


# Whose every line the tests before cover too.
@pytest.mark.no_cover
async def test_many_requests_with_disconnects_leave_no_descriptor_and_no_thread_behind(
    app: Flask, balance: Balance
) -> None:
    asgi = FlaskASGI(app, threads=4, spool_bytes=50)

    async def visit(number: int) -> None:
        kind = number % len(KINDS)
        conversation = Conversation(asgi, http_scope(f"/{kind}", "POST"), chunks=[b"x" * 60]).start()
        if kind < 4:
            await conversation.until(lambda: conversation.answer.chunks)
            conversation.leave()
        await conversation.end()

    async def visit_many(count: int) -> None:
        for start in range(0, count, 50):
            await within(asyncio.gather(*(visit(number) for number in range(start, start + 50))), 50)
        await shut_down(asgi)

    def used() -> tuple[int, int]:
        # Descriptors come and go while they are listed, which listdir() does not mind.
        return len(os.listdir("/proc/self/fd")), len(asyncio.all_tasks())  # noqa: PTH208

    threads = threading.active_count()
    await visit_many(100)
    before = used()
    await visit_many(size(500, 2000))
    # What tests before this one have used may still be given back.
    assert all(now <= then for now, then in zip(used(), before, strict=True))
    # A thread that was told to end takes a moment for it.
    await eventually(lambda: threading.active_count() <= threads + 4 + MOST_FILE_THREADS)
    assert (balance.open, len(asgi.requests)) == (0, 0)


async def test_reading_a_long_stream_takes_time_in_proportion(app: Flask, asgi: FlaskASGI) -> None:
    """What is held between chunks must not grow: neither tasks nor messages of the watch pile up."""
    most: list[int] = []

    @app.get("/")
    async def view() -> AsyncIterator[bytes]:
        for _ in range(5000):
            most.append(len(asyncio.all_tasks()) if len(most) % 500 == 0 else 0)
            yield b"x"

    received: list[Any] = []

    async def send(message: Any) -> None:
        received.append(len(message.get("body", b"")))

    conversation = Conversation(asgi, http_scope())
    await within(asgi(http_scope(), conversation._receive, send))  # noqa: SLF001
    assert sum(received) == 5000
    assert max(most) <= 6
