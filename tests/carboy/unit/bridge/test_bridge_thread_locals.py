"""What Flask's ecosystem binds to a thread belongs to one request."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flask import Flask, Response, g, request
from sqlalchemy import create_engine, text
from sqlalchemy.orm import scoped_session, sessionmaker
from sqlalchemy.pool import NullPool
from support.asgi import Conversation, ask, http_scope

from carboy.bridge import FlaskASGI


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
