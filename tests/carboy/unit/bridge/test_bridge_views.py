import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from functools import partial, wraps
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from flask import Flask, current_app, request
from flask.views import MethodView, View
from support.asgi import ask

from carboy.bridge import FlaskASGI

ViewFunction = Callable[..., Any]


def place() -> str:
    """Tell where the caller runs."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return "thread" if threading.current_thread() is not threading.main_thread() else "nowhere"
    return "loop"


def in_place(function: ViewFunction) -> ViewFunction:
    """Prefix the answer with where the decorator ran; keeps what it wraps sync or async as Flask-Login does."""

    @wraps(function)
    def decorated(**kwargs: Any) -> str:
        return f"{place()} > {current_app.ensure_sync(function)(**kwargs)}"

    return decorated


async def an_async_view(word: str = "") -> str:
    await asyncio.sleep(0)
    return f"{place()} {word}{request.method}"


def a_sync_view(word: str = "") -> str:
    return f"{place()} {word}{request.method}"


class AsyncView(View):
    methods = ("GET", "POST")

    async def dispatch_request(self, **kwargs: Any) -> str:  # type: ignore[override]
        return await an_async_view(**kwargs)


class SyncView(View):
    def dispatch_request(self, **kwargs: Any) -> str:
        return a_sync_view(**kwargs)


class DecoratedAsyncView(AsyncView):
    decorators = (in_place,)  # type: ignore[assignment]
    init_every_request = False


class DecoratedSyncView(SyncView):
    decorators = (in_place,)  # type: ignore[assignment]


class MixedMethods(MethodView):
    async def get(self, **kwargs: Any) -> str:
        return await an_async_view(**kwargs)

    def post(self, **kwargs: Any) -> str:
        return a_sync_view(**kwargs)


class Overridden(MixedMethods):
    def dispatch_request(self, **kwargs: Any) -> Any:
        answer: Any = super().dispatch_request(**kwargs)
        return f"{place()} > {answer}"


class CallsItsOwn(View):
    """Calls methods of its own through Flask, with positional arguments."""

    async def dispatch_request(self) -> str:  # type: ignore[override]
        call: Callable[[ViewFunction], ViewFunction] = current_app.ensure_sync
        return f"{call(self.double)(2)} {call(self.treble)(2)}"

    def double(self, number: int) -> int:
        return number * 2

    async def treble(self, number: int) -> int:
        await asyncio.sleep(0)
        return number * 3


class CallableObject:
    def __call__(self, word: str = "") -> str:
        return a_sync_view(word)


@pytest.mark.parametrize(
    ("view", "method", "expected"),
    [
        (AsyncView.as_view("view"), "GET", "loop w GET"),
        (AsyncView.as_view("view"), "POST", "loop w POST"),
        (SyncView.as_view("view"), "GET", "thread w GET"),
        (DecoratedAsyncView.as_view("view"), "GET", "loop > loop w GET"),
        (DecoratedSyncView.as_view("view"), "GET", "thread > thread w GET"),
        (MixedMethods.as_view("view"), "GET", "loop w GET"),
        (MixedMethods.as_view("view"), "POST", "thread w POST"),
        (Overridden.as_view("view"), "GET", "loop > loop w GET"),
        (Overridden.as_view("view"), "POST", "thread > thread w POST"),
        (in_place(an_async_view), "GET", "loop > loop w GET"),
        (in_place(in_place(an_async_view)), "GET", "loop > loop > loop w GET"),
        (in_place(a_sync_view), "GET", "thread > thread w GET"),
        (partial(an_async_view), "GET", "loop w GET"),
        (partial(a_sync_view), "GET", "thread w GET"),
        (CallableObject(), "GET", "thread w GET"),
        (a_sync_view, "GET", "thread w GET"),
        (an_async_view, "GET", "loop w GET"),
        # asgiref's wrapper is an object, whose insides are its own: it waits in a thread, for the server's loop.
        (async_to_sync(an_async_view), "GET", "loop w GET"),
    ],
)
async def test_each_kind_of_view_runs_where_it_should(
    app: Flask, asgi: FlaskASGI, view: ViewFunction, method: str, expected: str
) -> None:
    app.add_url_rule("/<word>", "view", view, methods=["GET", "POST"])
    assert (await ask(asgi, "/w%20", method=method)).text == expected


async def test_a_view_class_may_call_its_own_methods_through_flask(app: Flask, asgi: FlaskASGI) -> None:
    app.add_url_rule("/", view_func=CallsItsOwn.as_view("own"))
    assert (await ask(asgi)).text == "4 6"


async def test_a_view_class_may_be_used_outside_a_request(app: Flask, asgi: FlaskASGI) -> None:
    with app.app_context():
        double = app.ensure_sync(CallsItsOwn().double)
        assert await asyncio.to_thread(double, 2) == 4


async def test_a_sync_view_has_async_functions_run_on_the_servers_loop(app: Flask, asgi: FlaskASGI) -> None:
    serving = asyncio.get_running_loop()

    async def on_loop() -> str:
        await asyncio.sleep(0)
        assert asyncio.get_running_loop() is serving
        return f"{place()} {request.path}"

    @app.get("/ensured")
    def ensured() -> Any:
        return f"{place()}, {current_app.ensure_sync(on_loop)()}"

    @app.get("/own-thread")
    def own_thread() -> Any:
        # A thread that the view starts by itself finds the serving loop too; it has no request of its own.
        answers: list[bool] = []

        async def note() -> None:
            answers.append(asyncio.get_running_loop() is serving)

        thread = threading.Thread(target=app.async_to_sync(note))
        thread.start()
        thread.join(20)
        return str(answers)

    assert (await ask(asgi, "/ensured")).text == "thread, loop /ensured"
    assert (await ask(asgi, "/own-thread")).text == "[True]"


async def test_many_sync_views_may_wait_for_async_functions_at_once(app: Flask) -> None:
    asgi = FlaskASGI(app, threads=4)
    waiting: list[None] = []
    all_here = asyncio.Event()

    async def meet() -> str:
        waiting.append(None)
        if len(waiting) == 4:
            all_here.set()
        await all_here.wait()
        return request.path

    @app.get("/<int:number>")
    def view(number: int) -> Any:
        return app.async_to_sync(meet)()

    answers = await asyncio.gather(*(ask(asgi, f"/{number}") for number in range(4)))
    assert [answer.text for answer in answers] == ["/0", "/1", "/2", "/3"]


async def test_an_async_method_may_stream(app: Flask, asgi: FlaskASGI) -> None:
    class Events(MethodView):
        async def get(self) -> AsyncIterator[str]:
            for word in ("a", "b"):
                await asyncio.sleep(0)
                yield word

    app.add_url_rule("/", view_func=Events.as_view("events"))
    assert (await ask(asgi)).chunks == [b"a", b"b"]


async def test_a_hook_that_is_no_view_is_called_as_it_is(app: Flask, asgi: FlaskASGI) -> None:
    def helper() -> str:
        return place()

    @app.get("/")
    async def view() -> Any:
        return current_app.ensure_sync(helper)()

    assert (await ask(asgi)).text == "loop"
