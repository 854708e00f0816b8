"""One application may serve on one event loop after another, as it does in test suites."""

import asyncio
import inspect
import threading
import time

from flask import Flask
from support.asgi import Conversation, ask, http_scope

from carboy.bridge import FlaskASGI


def new_threads(before: set[threading.Thread]) -> int:
    """Count the threads that have come since; those that end have a moment to do so."""
    end = time.monotonic() + 5
    while (count := len(set(threading.enumerate()) - before)) > 1 and time.monotonic() < end:
        time.sleep(0.01)
    return count


def test_an_application_that_serves_on_many_loops_in_turn_keeps_the_threads_of_one() -> None:
    app = Flask("bridge_tests")
    app.add_url_rule("/", "view", lambda: "view")
    asgi, before = FlaskASGI(app), set(threading.enumerate())
    for _ in range(5):
        assert asyncio.run(ask(asgi)).text == "view"
    assert new_threads(before) <= 1


def test_a_view_that_outlives_its_loop_keeps_no_thread_when_it_has_ended() -> None:
    app = Flask("bridge_tests")
    going_on = threading.Event()
    app.add_url_rule("/slow", "slow", lambda: str(going_on.wait(20)))
    app.add_url_rule("/", "view", lambda: "view")
    asgi, before = FlaskASGI(app), set(threading.enumerate())

    async def begin() -> None:
        Conversation(asgi, http_scope("/slow")).start()
        await asyncio.sleep(0.05)

    for _ in range(5):
        asyncio.run(begin())
    going_on.set()
    assert asyncio.run(ask(asgi)).text == "view"
    assert new_threads(before) <= 1


def test_an_application_that_is_given_to_the_bridge_again_and_again_answers_as_at_first() -> None:
    app = Flask("bridge_tests")
    app.add_url_rule("/", "view", lambda: f"{len(inspect.stack(0))}")
    first = asyncio.run(ask(FlaskASGI(app))).text
    last = [FlaskASGI(app) for _ in range(1000)][-1]
    assert asyncio.run(ask(last)).text == first
