"""Notes on which thread the parts of a request run."""

import asyncio
import threading
from typing import Any

from flask import Flask, Response, request
from flask.sessions import SecureCookieSession, SessionInterface


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


def note_threads(app: Flask) -> Threads:
    """Let all that Flask calls in a request note its thread, and add a view at /sync and one at /async."""
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
