"""A pytest plug-in: what Werkzeug's test clients send to a Flask application reaches it through `FlaskASGI`.

It replaces one function, `werkzeug.test.run_wsgi_app`, by which every test client calls its application; the suite
stays as it is. The application is served on an event loop in a thread of its own, as by a server, and sync views in
the bridge's worker threads. What is not as by a server, since a test client promises it:

- The request runs in a copy of the test's contextvars context, so that an application context that the test has
  pushed is there.
- What a test puts into the environ beside the request (``environ_overrides``), `with client:` keeping the contexts
  among it, is put into the environ that the bridge has built.
- What the application raises reaches the test.
- Header names, which ASGI has in lower case, are written as in HTTP/1.1: some tests compare them as text.

``COMPAT_CONTROL=1`` serves the same requests by WSGI, in another thread than the test's: what fails there too is not
the bridge's doing. ``COMPAT_REQUESTS`` names a file to write the number of such requests to.
"""

import asyncio
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial, wraps
from io import BytesIO
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import werkzeug.test
from client_scope import Environ, make_scope, read_body
from exchange import Answer, Call, Ended
from flask import Flask
from flask.globals import _cv_app, _cv_request
from greenlet import getcurrent
from werkzeug._internal import _get_environ
from werkzeug.datastructures import Headers
from werkzeug.http import HTTP_STATUS_CODES
from werkzeug.test import run_wsgi_app as by_wsgi
from werkzeug.wsgi import ClosingIterator

from carboy.bridge import FlaskASGI

Response = tuple[Iterable[bytes], str, Headers]

KEEP = "werkzeug.debug.preserve_context"
"""Where `with client:` puts the function that keeps the contexts."""


class Server:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.requests = 0
        self._calls: set[Call] = set()
        self._thread = threading.Thread(target=self._serve, name="server", daemon=True)
        self._thread.start()

    def is_here(self) -> bool:
        return threading.current_thread() is self._thread

    def request(self, app: Flask, environ: Environ) -> tuple[dict[str, Any], Answer]:
        """Send a request, and return the message that starts its response, and the response's body."""
        self.requests += 1
        body = read_body(environ)
        if (keep := environ.get(KEEP)) is not None:
            environ[KEEP] = partial(_keep, keep, body)
        call = Call(make_scope(environ), body)
        self._calls.add(call)
        answer = Answer(call, self.loop)
        try:
            return answer.start(_bridge_of(app), copy_context()), answer
        finally:
            self._calls.discard(call)

    def _serve(self) -> None:
        while not self.loop.is_closed():
            try:
                self.loop.run_forever()
            except BaseException as error:  # noqa: BLE001 - a real server would have ended here.
                for call in self._calls:
                    failure = RuntimeError("This request has ended the event loop, and with it the server.")
                    failure.__cause__ = error
                    call.messages.put(Ended(failure))
            else:
                self.loop.close()

    def stop(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        Path(os.environ["COMPAT_REQUESTS"]).write_text(str(self.requests), encoding="utf-8")


def _keep(keep: Callable[[Any], None], body: bytes, context: Any) -> None:
    """Keep a context for the test, and with its request the body, which a server has closed by then."""
    if hasattr(context, "request"):
        context.request.environ["wsgi.input"] = BytesIO(body)
    keep(context)


def _bridge_of(app: Flask) -> FlaskASGI:
    """Return an application's bridge, which goes when the application goes."""
    bridge: FlaskASGI | None = vars(app).get("_compat_bridge")
    if bridge is None:
        bridge = vars(app)["_compat_bridge"] = FlaskASGI(app)
    return bridge


def by_bridge(server: Server) -> Callable[..., Response]:
    """Make a function that serves as Werkzeug's own `run_wsgi_app` does, but through the bridge."""

    def run_wsgi_app(app: Any, environ: Any, buffered: bool = False) -> Response:  # noqa: FBT001, FBT002 - Werkzeug's own.
        # A view on the loop that uses a test client itself must not wait for the loop.
        if not isinstance(app, Flask) or server.is_here():
            return by_wsgi(app, environ, buffered)
        start, answer = server.request(app, _get_environ(environ).copy())
        # As Werkzeug does, which waits for the first chunk.
        chunks: Iterator[bytes] = chain(list(answer) if buffered else _first(answer), answer)
        headers = [(name.decode("latin-1").title(), value.decode("latin-1")) for name, value in start["headers"]]
        return ClosingIterator(chunks, answer.close), _status(start["status"]), Headers(headers)

    return run_wsgi_app


def _first(answer: Answer) -> list[bytes]:
    return [chunk for chunk in [next(answer, None)] if chunk is not None]


def _status(code: int) -> str:
    return f"{code} {HTTP_STATUS_CODES.get(code, 'Unknown').upper()}"


def by_another_thread() -> Callable[..., Response]:
    """Make a function that serves by WSGI, in a thread that is not the test's."""
    threads = ThreadPoolExecutor(1)

    def run_wsgi_app(app: Any, environ: Any, buffered: bool = False) -> Response:  # noqa: FBT001, FBT002 - Werkzeug's own.
        if not isinstance(app, Flask) or threading.current_thread() in threads._threads:  # noqa: SLF001
            return by_wsgi(app, environ, buffered)
        return threads.submit(copy_context().run, by_wsgi, app, environ, buffered).result()

    return run_wsgi_app


def _add_what_stands_beside(application: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(application)
    def wsgi_app(self: Flask, environ: Environ, start_response: Any) -> Any:
        environ.update(environ.get("asgi.scope", {}).get("state", {}).pop("beside", {}))
        return application(self, environ, start_response)

    return wsgi_app


class Leaks:
    """Makes the contexts that a test has left behind, as they were pushed in one thread and popped in another, end."""

    def pytest_runtest_logstart(self) -> None:
        self._before = copy_context()

    def pytest_runtest_logfinish(self) -> None:
        for context in (_cv_request.get(None), _cv_app.get(None)):
            if context is not None and not context._cv_tokens:  # noqa: SLF001
                # That test has failed. The next ones would too, as no token is left to set the variable back with.
                getcurrent().gr_context = self._before


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Leaks())
    if os.environ.get("COMPAT_CONTROL"):
        werkzeug.test.run_wsgi_app = by_another_thread()
        return
    server = Server()
    werkzeug.test.run_wsgi_app = by_bridge(server)
    for name in ("__call__", "wsgi_app"):
        setattr(Flask, name, _add_what_stands_beside(getattr(Flask, name)))
    config.add_cleanup(server.stop)
