"""Whatever clients do, all that requests take comes back: slots, streams, memory, threads, tasks, descriptors."""

import asyncio
import gc
import os
import random
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from io import BytesIO
from typing import Any

import pytest
from flask import Flask, Response, abort, request, send_file, stream_with_context
from support.asgi import PATIENCE, Conversation, ask, eventually, http_scope, within
from support.sizes import size

from carboy.bridge import FlaskASGI, client, sync_iterator

SEED = int(os.environ.get("BRIDGE_SEED", "20"))
REQUESTS = size(600, 6000)


def generate() -> Iterator[bytes]:
    for _ in range(4):
        yield b"x" * 100


async def agenerate() -> AsyncIterator[bytes]:
    for _ in range(4):
        yield b"x" * 100
        await asyncio.sleep(0)
    if "fail" in request.args:
        raise LookupError
    await asyncio.Event().wait()


BODIES: dict[str, Any] = {
    "whole": lambda: request.get_data(),  # noqa: PLW0108 - there is no request yet.
    "large": lambda: b"x" * 200_000,
    "sync": generate,
    "async": lambda: Response(stream_with_context(sync_iterator(agenerate()))),
    "context": lambda: stream_with_context(generate()),
    "file": lambda: send_file(BytesIO(b"x" * 400_000), "text/plain"),
    "error": lambda: abort(418),
    "exit": sys.exit,
}


@pytest.fixture
def served(app: Flask, monkeypatch: pytest.MonkeyPatch) -> FlaskASGI:
    monkeypatch.setattr(client, "STREAM_GRACE_SECONDS", 0.01)

    @app.teardown_request
    async def wait(_error: BaseException | None) -> None:
        await asyncio.sleep(0)

    def answer(body: str) -> Any:
        return BODIES[body]()

    @app.post("/on-loop/<body>")
    async def on_loop(body: str) -> Any:
        await asyncio.sleep(0)
        return answer(body)

    app.add_url_rule("/on-worker/<body>", "on_worker", answer, methods=["POST"])
    return FlaskASGI(app, threads=6, streams=4, spool_bytes=150, body_memory_bytes=1000)


async def visit(asgi: FlaskASGI, dice: random.Random) -> None:
    """Make one request that stalls, leaves and is given up at random moments, or not at all."""
    place, body, fails = (
        dice.choice(["on-loop", "on-worker", "nowhere"]),
        dice.choice(list(BODIES)),
        dice.random() < 0.3,
    )
    conversation = Conversation(
        asgi, http_scope(f"/{place}/{body}{'?fail=1' * fails}", "POST"), chunks=None, slow=True
    ).start()
    moves = [
        *[lambda: conversation.say(b"x" * dice.choice([0, 90, 400]), more=True)] * dice.randrange(3),
        conversation.say,
        *[conversation.take] * dice.randrange(20),
    ]
    leave_at, give_up_at = dice.randrange(30), dice.randrange(60)
    for number, move in enumerate(moves):
        if number == leave_at:
            conversation.leave()
        if number == give_up_at and conversation.outer is not None:
            conversation.outer.cancel()
        move()
        for _ in range(dice.choice([0, 0, 1, 5])):
            await asyncio.sleep(0)
    conversation.leave()
    for _ in range(20):
        conversation.take()
    assert conversation.outer is not None
    await asyncio.wait([conversation.outer], timeout=PATIENCE)
    assert conversation.outer.done()
    if not conversation.outer.cancelled() and (error := conversation.outer.exception()) is not None:
        assert isinstance(error, LookupError)


def held(asgi: FlaskASGI) -> dict[str, int]:
    workers, files = asgi._loops.workers, asgi._loops.files  # noqa: SLF001 - nothing else tells.
    return {
        "slots": workers.slots._value,  # noqa: SLF001
        "file slots": files.slots._value,  # noqa: SLF001
        "streams": workers._streams_left,  # noqa: SLF001
        "busy": len(workers._busy) + len(files._busy) + len(workers._streaming),  # noqa: SLF001
        "requests": len(asgi.requests) + len(asgi._reading),  # noqa: SLF001
        "body memory": asgi._bodies.memory.used,  # noqa: SLF001
        "tasks": len(asyncio.all_tasks()) - 1,
    }


async def comes(free: dict[str, int], asgi: FlaskASGI) -> None:
    for _ in range(500):
        if (now := held(asgi)) == free:
            return
        await asyncio.sleep(0.01)
    assert now == free


async def test_all_comes_back_after_clients_that_leave_at_random_moments(served: FlaskASGI) -> None:
    dice = random.Random(SEED)  # noqa: S311 - a fixed seed, so that a failure can be had again.
    await ask(served, "/nowhere")
    descriptors = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - these vanish while one looks.
    others = threading.active_count()
    free = {"slots": 6, "file slots": 8, "streams": 4, "busy": 0, "requests": 0, "body memory": 0, "tasks": 0}
    for _ in range(REQUESTS // 30):
        await within(asyncio.gather(*(visit(served, dice) for _ in range(30))))
    await comes(free, served)
    # At most as many as there may be at once are kept for further requests; the others take a moment to end.
    await eventually(lambda: threading.active_count() - others <= 6 + 8)
    assert len(os.listdir("/proc/self/fd")) <= descriptors  # noqa: PTH208


async def test_a_stream_leaves_nothing_to_the_garbage_collector(served: FlaskASGI) -> None:
    gc.collect()
    gc.disable()
    try:
        for path in ("/on-loop/context", "/on-worker/context"):
            assert (await ask(served, path, method="POST")).body == b"x" * 400
        await asyncio.sleep(0)
        assert not any(isinstance(left, client.Departure) for left in gc.get_objects())
    finally:
        gc.enable()
