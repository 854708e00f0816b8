import asyncio
import threading
from typing import Any

import pytest
from flask import (
    Flask,
    Response,
    g,
    got_request_exception,
    render_template_string,
    request_finished,
    request_started,
)
from support.asgi import ask

from carboy.bridge import FlaskASGI

Here = tuple[asyncio.AbstractEventLoop, "asyncio.Task[Any] | None"]


def here() -> Here:
    return asyncio.get_running_loop(), asyncio.current_task()


async def test_async_hooks_handlers_and_signals_run_on_the_servers_loop_in_one_task(  # noqa: C901 - one of each.
    app: Flask, asgi: FlaskASGI
) -> None:
    seen: dict[str, Here] = {}

    async def note(name: str) -> None:
        # Stepping aside first shows that each may really wait.
        await asyncio.sleep(0)
        seen[name] = here()

    @app.before_request
    async def before() -> None:
        await note("before_request")

    @app.after_request
    async def after(response: Response) -> Response:
        await note("after_request")
        return response

    @app.teardown_request
    async def teardown_request(_error: BaseException | None) -> None:
        await note("teardown_request")

    @app.teardown_appcontext
    async def teardown_appcontext(_error: BaseException | None) -> None:
        await note("teardown_appcontext")

    @app.errorhandler(LookupError)
    async def missing(_error: LookupError) -> tuple[str, int]:
        await note("errorhandler")
        return render_template_string("{{ word }}"), 404

    @app.context_processor
    async def words() -> dict[str, str]:
        await note("context_processor")
        return {"word": "missing"}

    async def started(_sender: Flask, **_extra: Any) -> None:
        await note("request_started")

    async def finished(_sender: Flask, **_extra: Any) -> None:
        await note("request_finished")

    @app.get("/")
    async def view() -> str:
        await note("view")
        raise LookupError

    with request_started.connected_to(started, app), request_finished.connected_to(finished, app):
        answer = await ask(asgi)

    assert (answer.status, answer.text) == (404, "missing")
    assert set(seen) == {
        "before_request",
        "after_request",
        "teardown_request",
        "teardown_appcontext",
        "errorhandler",
        "context_processor",
        "request_started",
        "request_finished",
        "view",
    }
    assert {loop for loop, _ in seen.values()} == {asyncio.get_running_loop()}
    assert len({task for _, task in seen.values()}) == 1


async def test_an_async_receiver_hears_of_an_unhandled_exception(app: Flask, asgi: FlaskASGI) -> None:
    heard: list[tuple[Here, BaseException]] = []

    async def receiver(_sender: Flask, *, exception: BaseException, **_extra: Any) -> None:
        await asyncio.sleep(0)
        heard.append((here(), exception))

    @app.get("/")
    async def view() -> str:
        raise KeyError("lost")

    with got_request_exception.connected_to(receiver, app):
        assert (await ask(asgi)).status == 500
    (((loop, _), error),) = heard
    assert loop is asyncio.get_running_loop()
    assert isinstance(error, KeyError)


@pytest.mark.parametrize("path", ["/async", "/sync"])
async def test_all_of_a_request_runs_on_the_thread_of_its_view(app: Flask, asgi: FlaskASGI, path: str) -> None:
    threads: dict[str, int] = {}

    @app.before_request
    def before() -> None:
        threads["before"] = threading.get_ident()

    @app.after_request
    def after(response: Response) -> Response:
        threads["after"] = threading.get_ident()
        return response

    @app.teardown_request
    def teardown(_error: BaseException | None) -> None:
        threads["teardown"] = threading.get_ident()

    @app.errorhandler(KeyError)
    def handler(_error: KeyError) -> str:
        threads["handler"] = threading.get_ident()
        return "handled"

    @app.get("/async")
    async def async_view() -> str:
        threads["view"] = threading.get_ident()
        raise KeyError

    @app.get("/sync")
    def sync_view() -> str:
        threads["view"] = threading.get_ident()
        raise KeyError

    assert (await ask(asgi, path)).text == "handled"
    assert threads.keys() == {"before", "view", "handler", "after", "teardown"}
    (thread,) = set(threads.values())
    assert (thread == threading.get_ident()) == (path == "/async")


async def test_an_async_view_may_render_a_template_with_an_async_context_processor(app: Flask, asgi: FlaskASGI) -> None:
    @app.context_processor
    async def processor() -> dict[str, str]:
        await asyncio.sleep(0)
        if g.get("nested"):
            return {"inner": "innermost"}
        # The template inside asks this very processor again: async and sync frames are nested five deep.
        g.nested = True
        return {"inner": render_template_string("[{{ inner }} {{ request.path }}]")}

    @app.get("/")
    async def view() -> str:
        await asyncio.sleep(0)
        return render_template_string("{{ inner }} {{ g.word }}")

    @app.before_request
    async def before() -> None:
        g.word = "here"

    assert (await ask(asgi)).text == "[innermost /] here"


async def test_a_before_request_may_answer_in_the_views_place(app: Flask, asgi: FlaskASGI) -> None:
    @app.before_request
    async def before() -> tuple[str, int]:
        await asyncio.sleep(0)
        return "closed", 503

    @app.get("/")
    async def view() -> str:
        raise AssertionError("The view must not be called.")

    answer = await ask(asgi)
    assert (answer.status, answer.text) == (503, "closed")


async def test_asyncio_timeout_works_inside_hooks_and_views(app: Flask, asgi: FlaskASGI) -> None:
    async def give_up() -> str:
        try:
            async with asyncio.timeout(0):
                await asyncio.Event().wait()
        except TimeoutError:
            return "given up"
        return "never"

    @app.before_request
    async def before() -> None:
        g.before = await give_up()

    @app.get("/")
    async def view() -> str:
        return f"{g.before}, {await give_up()}"

    assert (await ask(asgi)).text == "given up, given up"
