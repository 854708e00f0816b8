import asyncio
import gc
import threading
import weakref
from contextvars import ContextVar

import pytest
from flask import Flask, Response, g, has_request_context, request
from support.asgi import ask

from carboy.bridge import FlaskASGI

user: ContextVar[str] = ContextVar("user", default="nobody")


@pytest.fixture(params=["/sync", "/async"])
def path(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def asgi(app: Flask, seen: list[str]) -> FlaskASGI:
    @app.before_request
    async def before() -> None:
        user.set(request.args["user"])

    @app.after_request
    def after(response: Response) -> Response:
        seen.append(f"after {user.get()}")
        return response

    @app.teardown_request
    async def teardown(_error: BaseException | None) -> None:
        await asyncio.sleep(0)
        seen.append(f"teardown {user.get()}")

    @app.get("/sync")
    def sync_view() -> str:
        assert threading.current_thread() is not threading.main_thread()
        before = user.get()
        user.set(f"{before} seen in a thread")
        return before

    @app.get("/async")
    async def async_view() -> str:
        await asyncio.sleep(0)
        before = user.get()
        # A task of its own inherits the context, as in any coroutine.
        assert await asyncio.create_task(read_user()) == before
        user.set(f"{before} seen on the loop")
        return before

    return FlaskASGI(app)


async def read_user() -> str:
    return user.get()


@pytest.fixture
def seen() -> list[str]:
    return []


async def test_what_a_hook_sets_the_view_sees_and_what_the_view_sets_later_hooks_see(
    asgi: FlaskASGI, seen: list[str], path: str
) -> None:
    answer = await ask(asgi, f"{path}?user=ann")
    place = {"/sync": "in a thread", "/async": "on the loop"}[path]
    assert answer.text == "ann"
    assert seen == [f"after ann seen {place}", f"teardown ann seen {place}"]


async def test_nothing_leaks_between_requests_or_to_the_server(asgi: FlaskASGI, path: str) -> None:
    user.set("the server")
    answers = await asyncio.gather(*(ask(asgi, f"{path}?user={number}") for number in range(200)))
    assert [answer.text for answer in answers] == [str(number) for number in range(200)]
    assert user.get() == "the server"
    assert not has_request_context()


async def test_a_request_sees_what_its_server_set(app: Flask) -> None:
    @app.get("/")
    async def view() -> str:
        return user.get()

    user.set("the server")
    assert (await ask(FlaskASGI(app))).text == "the server"


async def test_an_async_function_called_from_a_thread_shares_the_views_context(app: Flask) -> None:
    async def change() -> str:
        await asyncio.sleep(0)
        before = user.get()
        user.set("changed on the loop")
        return f"{before} {request.path} {g.word}"

    @app.get("/")
    def view() -> str:
        g.word = "g"
        user.set("set in the thread")
        return f"{app.async_to_sync(change)()}, {user.get()}"

    assert (await ask(FlaskASGI(app))).text == "set in the thread / g, changed on the loop"


async def test_nothing_that_a_request_has_set_is_kept_after_it(app: Flask) -> None:
    class Secret:
        pass

    secret: ContextVar[Secret] = ContextVar("secret")
    seen: list[weakref.ref[Secret]] = []

    @app.get("/")
    async def view() -> str:
        assert secret.get(None) is None
        secret.set(Secret())
        seen.append(weakref.ref(secret.get()))
        return "done"

    asgi = FlaskASGI(app)
    for _ in range(2):
        await ask(asgi, "/")
    gc.collect()
    assert [reference() for reference in seen] == [None, None]
