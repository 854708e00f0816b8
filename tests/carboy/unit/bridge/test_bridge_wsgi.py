"""WSGI middleware, and WSGI applications that are no Flask at all."""

import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from flask import Flask, request
from support.asgi import Answer, Conversation, ask, http_scope
from werkzeug.middleware.proxy_fix import ProxyFix

from carboy.bridge import FlaskASGI

Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]
PLAIN = [("Content-Type", "text/plain")]


async def ask_wsgi(app: Flask, wsgi: Wsgi, **request_options: Any) -> Answer:
    asgi = FlaskASGI(app)
    app.wsgi_app = wsgi  # type: ignore[method-assign, assignment]
    return await ask(asgi, **request_options)


async def test_proxy_fix_is_honoured(app: Flask) -> None:
    asgi = FlaskASGI(app)
    app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=1, x_host=1, x_prefix=1)  # type: ignore[method-assign]

    @app.get("/x")
    async def view() -> str:
        return f"{request.remote_addr} {request.url} {request.root_path}"

    headers = [
        (b"x-forwarded-for", b"203.0.113.9"),
        (b"x-forwarded-proto", b"https"),
        (b"x-forwarded-host", b"example.org"),
        (b"x-forwarded-prefix", b"/api"),
    ]
    assert (await ask(asgi, "/x", headers=headers)).text == "203.0.113.9 https://example.org/api/x /api"


async def test_what_is_written_comes_before_what_is_returned(app: Flask) -> None:
    def wsgi(_environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        write = start_response("200 OK", PLAIN)
        write(b"a")
        write(b"b")
        return [b"c"]

    answer = await ask_wsgi(app, wsgi)
    assert (answer.status, answer.body, answer.complete) == (200, b"abc", True)


async def test_what_is_written_and_nothing_returned_is_the_body(app: Flask) -> None:
    def wsgi(_environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [*PLAIN, ("Content-Length", "3")])(b"abc")
        return []

    assert (await ask_wsgi(app, wsgi)).body == b"abc"


async def test_a_response_may_be_started_by_the_first_step_of_its_iterable(app: Flask) -> None:
    def wsgi(_environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("201 Created", PLAIN)
        yield b""
        yield b"late"

    answer = await ask_wsgi(app, wsgi)
    assert (answer.status, answer.body, answer.complete) == (201, b"late", True)
    assert (await ask_wsgi(app, wsgi, method="HEAD")).body == b""


async def test_a_whole_body_is_no_stream_even_if_its_first_step_starts_the_response(app: Flask) -> None:
    """New Relic, which may insert a script into HTML, starts it so."""

    def wsgi(_environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [*PLAIN, ("Content-Length", "5")])
        yield b"whole"

    app.wsgi_app = wsgi  # type: ignore[method-assign, assignment]
    answer = await ask(FlaskASGI(app, streams=0))
    assert (answer.status, answer.body, len(answer.messages)) == (200, b"whole", 2)


async def test_an_error_may_replace_a_response_that_has_not_been_sent(app: Flask) -> None:
    def wsgi(_environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [*PLAIN, ("Content-Length", "99")])
        try:
            raise LookupError  # noqa: TRY301 - what start_response is given comes from a handler.
        except LookupError:
            start_response("500 Oops", PLAIN, sys.exc_info())
        return [b"oops"]

    answer = await ask_wsgi(app, wsgi)
    assert (answer.status, answer.body, answer.header("content-length")) == (500, b"oops", None)


async def test_an_error_after_the_start_was_sent_is_raised(app: Flask) -> None:
    def wsgi(_environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", PLAIN)
        yield b"first"
        try:
            raise LookupError("too late")  # noqa: TRY301 - as above.
        except LookupError:
            start_response("500 Oops", PLAIN, sys.exc_info())
        yield b"never"

    with pytest.raises(LookupError, match="too late"):
        await ask_wsgi(app, wsgi)


async def test_starting_twice_is_an_error(app: Flask) -> None:
    def wsgi(_environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", PLAIN)
        start_response("200 OK", PLAIN)
        return []

    with pytest.raises(RuntimeError, match="start_response was called twice"):
        await ask_wsgi(app, wsgi)


@pytest.mark.parametrize("body", [[], [b"body"]])
async def test_never_starting_is_an_error(app: Flask, body: list[bytes]) -> None:
    with pytest.raises(RuntimeError, match="without calling start_response"):
        await ask_wsgi(app, lambda _environ, _start: body)


@pytest.mark.parametrize("fails", [False, True])
async def test_the_iterable_is_closed_once_whatever_happens(app: Flask, *, fails: bool) -> None:
    closed: list[None] = []

    class Body:
        def __iter__(self) -> Iterator[bytes]:
            yield b"first"
            if fails:
                raise LookupError
            yield b"last"

        def close(self) -> None:
            closed.append(None)

    def wsgi(_environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", PLAIN)
        return Body()

    asgi = FlaskASGI(app)
    app.wsgi_app = wsgi  # type: ignore[method-assign, assignment]
    conversation = Conversation(asgi, http_scope()).start()
    if fails:
        with pytest.raises(LookupError):
            await conversation.end()
    else:
        assert (await conversation.end()).body == b"firstlast"
    assert closed == [None]


async def test_the_environ_is_what_pep_3333_asks_for(app: Flask) -> None:
    seen: dict[str, Any] = {}

    def wsgi(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        seen.update(environ)
        start_response("204 No Content", [])
        return []

    await ask_wsgi(app, wsgi, target="/a?b=c", method="POST", headers=[(b"content-type", b"x/y")], chunks=[b"1"])
    texts = {key: value for key, value in seen.items() if key.isupper()}
    assert all(isinstance(value, str) for value in texts.values())
    assert texts["CONTENT_TYPE"] == "x/y"
    assert texts["CONTENT_LENGTH"] == "1"
    assert texts["PATH_INFO"] == "/a"
    assert texts["QUERY_STRING"] == "b=c"
    assert seen["wsgi.version"] == (1, 0)
    assert seen["wsgi.input"].closed
