"""A request lives on one thread, whole: on the loop's if its view is async, otherwise on one worker's."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from flask import Flask, Response, g, request, request_started, stream_with_context
from flask.sessions import SecureCookieSession, SessionInterface
from sqlalchemy import create_engine, text
from sqlalchemy.orm import scoped_session, sessionmaker
from sqlalchemy.pool import NullPool
from support.asgi import Conversation, ask, eventually, http_scope, within
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.routing import BaseConverter

from carboy.bridge import FlaskASGI


class Threads:
    """Notes on which thread each part of a request runs."""

    def __init__(self) -> None:
        self.seen: dict[str, int] = {}

    def note(self, part: str) -> None:
        self.seen[part] = threading.get_ident()

    @property
    def only(self) -> int:
        (thread,) = set(self.seen.values())
        return thread


@pytest.fixture
def threads(app: Flask) -> Threads:
    """All that Flask calls in a request notes its thread; a request for /sync or /async has a view too."""
    threads = Threads()

    class Session(SessionInterface):
        def open_session(self, app: Flask, request: Any) -> SecureCookieSession:
            threads.note("open session")
            return SecureCookieSession()

        def save_session(self, app: Flask, session: Any, response: Any) -> None:
            threads.note("save session")

    app.session_interface = Session()
    app.before_request(lambda: threads.note("before"))
    app.teardown_request(lambda _error: threads.note("teardown request"))
    app.teardown_appcontext(lambda _error: threads.note("teardown context"))

    @app.after_request
    def after(response: Response) -> Response:
        threads.note("after")
        response.call_on_close(lambda: threads.note("close"))
        return response

    @app.errorhandler(LookupError)
    @app.errorhandler(404)
    @app.errorhandler(405)
    def handle(error: Any) -> tuple[str, int]:
        threads.note("handler")
        return "handled", getattr(error, "code", 500)

    def answer() -> str:
        threads.note("view")
        if "fail" in request.args:
            raise LookupError
        return "answer"

    async def answer_async() -> str:
        await asyncio.sleep(0)
        return answer()

    app.add_url_rule("/sync", "sync", answer)
    app.add_url_rule("/async", "async", answer_async)
    return threads


@pytest.mark.parametrize(
    ("target", "method", "status"),
    [
        ("/sync", "GET", 200),
        ("/sync?fail=1", "GET", 500),
        ("/nowhere", "GET", 404),
        ("/sync", "DELETE", 405),
        ("/async", "DELETE", 405),
        ("/sync", "OPTIONS", 200),
    ],
)
async def test_a_request_without_an_async_view_lives_on_one_worker(  # noqa: PLR0913, PLR0917 - three are the case.
    app: Flask, asgi: FlaskASGI, threads: Threads, target: str, method: str, status: int
) -> None:
    with request_started.connected_to(lambda *_args, **_more: threads.note("signal"), app):
        assert (await ask(asgi, target, method=method)).status == status
    assert threads.seen.keys() >= {"open session", "before", "after", "save session", "close", "signal"}
    assert threads.seen.keys() >= {"teardown request", "teardown context"}
    assert threads.only != threading.get_ident()


@pytest.mark.parametrize("target", ["/async", "/async?fail=1"])
async def test_a_request_with_an_async_view_lives_on_the_loop(asgi: FlaskASGI, threads: Threads, target: str) -> None:
    await ask(asgi, target)
    assert {"open session", "view", "close", "teardown context"} <= threads.seen.keys()
    assert threads.only == threading.get_ident()


@pytest.mark.parametrize("target", ["/async", "/async?fail=1", "/sync"])
async def test_one_setting_puts_every_request_on_a_worker_and_its_coroutines_on_the_loop(
    app: Flask, threads: Threads, target: str
) -> None:
    asgi = FlaskASGI(app, run_on="worker")
    await ask(asgi, target)
    if target != "/sync":
        assert threads.seen.pop("view") == threading.get_ident()
    assert threads.only != threading.get_ident()


async def test_async_hooks_of_a_sync_request_run_on_the_servers_loop(app: Flask, asgi: FlaskASGI) -> None:
    serving = asyncio.get_running_loop()
    heard: list[Any] = []

    @app.before_request
    async def before() -> None:
        heard.append(asyncio.get_running_loop())
        g.user = "ada"

    @app.teardown_request
    async def teardown(_error: BaseException | None) -> None:
        heard.append(asyncio.get_running_loop())

    @app.get("/")
    def view() -> str:
        return f"{g.user} {threading.get_ident() == threading.main_thread().ident}"

    assert (await ask(asgi)).text == "ada False"
    assert heard == [serving, serving]


async def test_a_sqlite3_connection_in_g_works_as_in_flasks_tutorial(app: Flask, asgi: FlaskASGI) -> None:
    @app.get("/")
    def view() -> str:
        g.db = sqlite3.connect(":memory:")
        return str(g.db.execute("select 40 + 2").fetchone()[0])

    @app.teardown_appcontext
    def close(_error: BaseException | None) -> None:
        g.db.close()

    answers = await asyncio.gather(*(ask(asgi) for _ in range(20)))
    assert [(answer.status, answer.text) for answer in answers] == [(200, "42")] * 20


def keep_notes(app: Flask, path: Path, scope: Callable[[], Any] | None = None) -> Callable[[], str]:
    """Add a table of notes, and a scoped session that ends with the application context, as Flask documents it."""
    engine = create_engine(f"sqlite:///{path}", connect_args={"check_same_thread": False}, poolclass=NullPool)
    session = scoped_session(sessionmaker(engine), scopefunc=scope)
    with engine.begin() as connection:
        connection.execute(text("create table note (text)"))
    app.teardown_appcontext(lambda _error: session.remove())

    @app.post("/fails")
    def fails() -> str:
        session.execute(text("insert into note values ('of a request that failed')"))
        raise LookupError

    def count() -> str:
        session.commit()
        number = session.execute(text("select count(*) from note")).scalar()
        return str(number)

    app.post("/works")(count)
    return count


async def test_a_scoped_session_never_commits_what_a_failed_request_has_written(
    app: Flask, asgi: FlaskASGI, tmp_path: Path
) -> None:
    keep_notes(app, tmp_path / "notes.db")
    for _ in range(20):
        assert (await ask(asgi, "/fails", method="POST")).status == 500
        assert (await ask(asgi, "/works", method="POST")).text == "0"


async def test_an_async_view_takes_a_session_scoped_by_the_application_context(
    app: Flask, asgi: FlaskASGI, tmp_path: Path
) -> None:
    """The recipe of docs/bridge.md."""
    from flask.globals import app_ctx  # noqa: PLC0415 - as the recipe has it.

    count = keep_notes(app, tmp_path / "notes.db", lambda: id(app_ctx._get_current_object()))  # type: ignore[attr-defined]  # noqa: SLF001 - werkzeug documents it.
    waiting = asyncio.Event()

    @app.post("/async-works")
    async def works() -> str:
        waiting.set()
        await asyncio.sleep(0)
        return count()

    for _ in range(5):
        first = Conversation(asgi, http_scope("/async-works", "POST")).start()
        await ask(asgi, "/fails", method="POST")
        assert (await first.end()).text == "0"


async def test_a_thread_local_is_the_requests_own(app: Flask, asgi: FlaskASGI) -> None:
    local = threading.local()
    ann_waits, bob_is_done = threading.Event(), threading.Event()

    @app.before_request
    def remember() -> None:
        local.user = request.args["user"]

    @app.get("/")
    def view() -> str:
        if local.user == "ann":
            ann_waits.set()
            assert bob_is_done.wait(20)
        return str(local.user)

    @app.after_request
    def log(response: Response) -> Response:
        response.headers["x-user"] = local.user
        return response

    ann = Conversation(asgi, http_scope("/?user=ann")).start()
    assert await asyncio.to_thread(ann_waits.wait, 20)
    bob = await ask(asgi, "/?user=bob")
    bob_is_done.set()
    assert [(a.text, a.header("x-user")) for a in (await ann.end(), bob)] == [("ann", "ann"), ("bob", "bob")]


class Middleware:
    """WSGI middleware that blocks until it is released, as Socket.IO's does in a long poll."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.waits, self.released = threading.Event(), threading.Event()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        if environ["PATH_INFO"] == "/poll":
            self.waits.set()
            assert self.released.wait(20)
        environ["HTTP_X_SEEN"] = "yes"
        return self.app(environ, start_response)


async def test_wsgi_middleware_that_blocks_blocks_nobody_else(app: Flask, asgi: FlaskASGI) -> None:
    app.wsgi_app = middleware = Middleware(app.wsgi_app)  # type: ignore[method-assign]
    serving = asyncio.get_running_loop()

    @app.get("/<path:path>")
    async def view(path: str) -> str:
        return f"{path} {request.headers['X-Seen']} {asyncio.get_running_loop() is serving}"

    poll = Conversation(asgi, http_scope("/poll")).start()
    assert await asyncio.to_thread(middleware.waits.wait, 20)
    assert (await ask(asgi, "/other")).text == "other yes True"
    middleware.released.set()
    assert (await poll.end()).text == "poll yes True"


async def test_a_mounted_application_has_its_async_views_run_on_the_servers_loop(app: Flask, asgi: FlaskASGI) -> None:
    inner = Flask("inner")
    serving = asyncio.get_running_loop()

    @app.get("/")
    @inner.get("/")
    async def view() -> str:
        await asyncio.sleep(0)
        return f"{request.script_root} {asyncio.get_running_loop() is serving}"

    app.wsgi_app = DispatcherMiddleware(app.wsgi_app, {"/inner": inner})  # type: ignore[method-assign]
    assert (await ask(asgi, "/inner/")).text == "/inner True"
    assert (await ask(asgi, "/")).text == " True"


async def test_proxy_fix_keeps_no_async_view_from_the_loop(app: Flask, asgi: FlaskASGI, threads: Threads) -> None:
    app.wsgi_app = ProxyFix(ProxyFix(app.wsgi_app, x_host=1))  # type: ignore[method-assign]
    assert (await ask(asgi, "/async", headers=[(b"x-forwarded-host", b"example.org")])).text == "answer"
    assert threads.only == threading.get_ident()


async def test_middleware_may_be_declared_not_to_block(app: Flask, threads: Threads) -> None:
    app.wsgi_app = Middleware(app.wsgi_app)  # type: ignore[method-assign]
    asgi = FlaskASGI(app, run_on="view")
    assert (await ask(asgi, "/async")).text == "answer"
    assert threads.only == threading.get_ident()


async def test_a_sync_view_that_middleware_leads_to_does_not_block_the_loop(app: Flask) -> None:
    asgi = FlaskASGI(app, run_on="view")
    asked = threading.Event()

    @app.get("/async")
    async def async_view() -> str:
        return "async"

    @app.get("/sync")
    def sync_view() -> Iterator[str]:
        assert threading.current_thread() is not threading.main_thread()
        yield "s"
        assert asked.wait(20)
        yield "ync"

    inner = app.wsgi_app

    def rewrite(environ: dict[str, Any], start_response: Any) -> Any:
        return inner(environ | {"PATH_INFO": "/sync" if environ["QUERY_STRING"] else "/async"}, start_response)

    app.wsgi_app = rewrite  # type: ignore[method-assign]
    led_away = Conversation(asgi, http_scope("/async?x")).start()
    await led_away.until(lambda: led_away.answer.chunks)
    assert (await ask(asgi, "/async")).text == "async"
    asked.set()
    assert (await led_away.end()).text == "sync"


async def test_a_converter_that_blocks_runs_once_and_on_the_request_thread(app: Flask, asgi: FlaskASGI) -> None:
    threads: list[int] = []

    class Row(BaseConverter):
        def to_python(self, value: str) -> str:
            threads.append(threading.get_ident())
            return value.upper()

    app.url_map.converters["row"] = Row

    @app.get("/sync/<row:row>")
    def sync_view(row: str) -> str:
        return row

    @app.get("/async/<row:row>")
    async def async_view(row: str) -> str:
        return row

    assert (await ask(asgi, "/sync/a")).text == "A"
    assert (await ask(asgi, "/async/b")).text == "B"
    assert len(threads) == 2
    assert threads[0] != threads[1] == threading.get_ident()


async def test_an_extension_may_replace_how_flask_calls_views(app: Flask, asgi: FlaskASGI) -> None:
    """Flask-DebugToolbar calls the view itself, and asks nobody where."""
    released = threading.Event()

    def dispatch(*_context: Any) -> Any:
        view: Any = app.view_functions[request.endpoint or ""]
        return app.ensure_sync(view)(**request.view_args or {})

    app.dispatch_request = dispatch  # type: ignore[method-assign]

    @app.get("/slow")
    def slow() -> str:
        assert released.wait(20)
        return "slow"

    @app.get("/quick")
    async def quick() -> str:
        released.set()
        return "quick"

    slow_one = Conversation(asgi, http_scope("/slow")).start()
    assert (await ask(asgi, "/quick")).text == "quick"
    assert (await slow_one.end()).text == "slow"


async def test_flasks_own_call_is_what_is_called(app: Flask, asgi: FlaskASGI, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sentry and New Relic put their wrapper there."""
    called: list[str] = []
    original = Flask.__call__

    def wrapped(self: Flask, environ: Any, start_response: Any) -> Any:
        called.append(environ["PATH_INFO"])
        return original(self, environ, start_response)

    monkeypatch.setattr(Flask, "__call__", wrapped)
    app.add_url_rule("/sync", "sync", lambda: "x")

    @app.get("/async")
    async def view() -> str:
        return "x"

    await ask(asgi, "/sync")
    await ask(asgi, "/async")
    assert called == ["/sync", "/async"]


async def test_what_was_made_sync_before_there_was_a_bridge_waits_too(app: Flask) -> None:
    """APIFlask asks for its error processor so when it is set up."""

    async def helper() -> str:
        await asyncio.sleep(0)
        return str(asyncio.get_running_loop() is serving)

    early = [app.ensure_sync(helper), app.async_to_sync(helper)]
    asgi = FlaskASGI(app)
    serving = asyncio.get_running_loop()

    @app.get("/sync")
    def sync_view() -> list[str]:
        return [call() for call in early]

    @app.get("/async")
    async def async_view() -> list[str]:
        return [call() for call in early]

    assert (await ask(asgi, "/sync")).text == '["True","True"]\n'
    assert (await ask(asgi, "/async")).text == '["True","True"]\n'


async def test_a_sync_generator_with_its_context_keeps_the_thread_of_its_view(app: Flask, asgi: FlaskASGI) -> None:
    threads = Threads()

    @app.get("/")
    def view() -> Response:
        threads.note("view")

        def generate() -> Iterator[str]:
            for number in range(3):
                threads.note(f"step {number}")
                yield request.path

        return Response(stream_with_context(generate()))

    @app.teardown_request
    def teardown(_error: BaseException | None) -> None:
        threads.note("teardown")

    assert (await ask(asgi)).text == "///"
    await within(eventually(lambda: "teardown" in threads.seen))
    assert threads.only != threading.get_ident()


async def test_a_subclass_that_surrounds_itself_lives_on_a_worker_as_it_may_block(threads: Threads) -> None:
    class Surrounded(Flask):
        def wsgi_app(self, environ: Any, start_response: Any) -> Any:
            threads.note("middleware")
            return super().wsgi_app(environ, start_response)

    app = Surrounded("surrounded")

    @app.get("/")
    async def view() -> str:
        return threading.current_thread().name

    assert (await ask(FlaskASGI(app))).text == "MainThread"
    assert threads.only != threading.get_ident()


@pytest.mark.parametrize("path", ["/sync", "/async"])
async def test_functions_that_asgiref_makes_async_hold_up_no_other_request_and_keep_one_thread(
    app: Flask, asgi: FlaskASGI, path: str
) -> None:
    here, all_here = set[int](), threading.Barrier(3, timeout=20)

    def block() -> None:
        all_here.wait()
        here.add(threading.get_ident())

    async def view() -> str:
        await sync_to_async(block)()
        return str(await sync_to_async(threading.get_ident)() in here)

    app.add_url_rule("/async", "async", view)
    app.add_url_rule("/sync", "sync", app.ensure_sync(view))
    before = threading.active_count()
    answers = await asyncio.gather(*(ask(asgi, path) for _ in range(3)))
    assert [answer.text for answer in answers] == ["True"] * 3
    assert len(here) == 3
    await eventually(lambda: threading.active_count() <= before + 3)


async def test_what_is_made_sync_in_a_class_is_a_method(app: Flask, asgi: FlaskASGI) -> None:
    @app.get("/")
    def view() -> str:
        class Service:
            name = "service"

            @app.ensure_sync
            async def load(self) -> str:
                return self.name

        return str(Service().load())

    assert (await ask(asgi)).text == "service"
