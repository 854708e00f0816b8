"""No header that a client can send makes its reader fail, whether Carboy reads it, Flask, or a view."""

import tracemalloc
from contextlib import suppress
from typing import Any

import flask
import httpx
import pytest
from flask import Flask
from support.accounts import RAW_HEADERS
from support.asgi import Conversation, ask, http_scope
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import BadRequest, UnsupportedMediaType
from werkzeug.test import EnvironBuilder, run_wsgi_app

from carboy.bridge import FlaskASGI
from carboy.server import create_asgi
from carboy.web.application import Application, Request
from containers import Container

HUGE = "9" * 5000
UNREADABLE_DATES = [
    "Mon, 01 Jan 9999999999 00:00:00 GMT",
    "Mon, 01 Jan 2020 99999999999999999999:00:00 GMT",
    f"Mon, 01 Jan {HUGE} 00:00:00 GMT",
]
VALUES = [
    *UNREADABLE_DATES, "Mon, 99 Foo 9999", "Mon, 01 Jan 0001 00:00:00 +2359", "Fri, 31 Dec 9999 23:59:59 -2359",
    f"01 Jan 2020 00:00:00 +{HUGE}", "bytes=-", "bytes=--1", f"bytes={HUGE}-", f"bytes=-{HUGE}", "bytes=\xb2-",
    "bytes=,", "=", "", "\x00", "\xff", " ", '"', '"\\', 'a="\\777', "a=b; a=c; =; ;", "Basic \xff", "Basic AAA",
    "Basic Og==", "Basic /////w==", 'Digest a="', "Digest =", "Bearer", "text/plain; charset=\xff",
    "text/plain; a*=utf-8''%ff", "text/plain; a*=nope''%ff; a*0=x;a*1*=y", "x; a*=idna''%ff", "x; a*=zlib''%00",
    f"x; a*{HUGE}=b", f"x; a*={HUGE}''a", "multipart/form-data", "multipart/form-data; boundary=\xff", HUGE, "-1",
    "1e9", "\xb2", "nan", "a;q=nan", "a;q=1e999", f"a;q={HUGE}", "a/b/c;q=1", ",", 'W/"', '"a",W/"b",*',
    "max-age=\xb2", f"max-age={HUGE}", 'private="\\"', "[::1", "testserver:99999", f"testserver:{HUGE}", "a:b",
    "xn--" + "a" * 60, "a" * 64, ".", "websocket", "chunked",
]  # fmt: skip
HEADERS = [
    "ACCEPT", "ACCEPT_CHARSET", "ACCEPT_ENCODING", "ACCEPT_LANGUAGE", "ACCESS_CONTROL_REQUEST_HEADERS", "AUTHORIZATION",
    "CACHE_CONTROL", "COOKIE", "DATE", "HOST", "IF_MATCH", "IF_MODIFIED_SINCE", "IF_NONE_MATCH", "IF_RANGE",
    "IF_UNMODIFIED_SINCE", "MAX_FORWARDS", "PRAGMA", "RANGE", "TRANSFER_ENCODING", "USER_AGENT", "X_FORWARDED_FOR",
]  # fmt: skip
VARIABLES = ["CONTENT_TYPE", "CONTENT_LENGTH", "QUERY_STRING", "PATH_INFO", *(f"HTTP_{name}" for name in HEADERS)]
PROPERTIES = [name for name in dir(Request) if not name.startswith("_") and not callable(getattr(Request, name))]
"""All that a view may ask of its request; what is called for, such as get_data, has a property that calls it."""


@pytest.mark.parametrize("variable", VARIABLES)
def test_whatever_a_header_holds_each_property_of_the_request_can_be_read(variable: str) -> None:
    app = Application("odd")
    form: dict[str, Any] = {"data": b"a=b&c=%ff", "content_type": "application/x-www-form-urlencoded"}
    seen: list[int] = []

    @app.route("/", defaults={"path": ""}, methods=["POST"])
    @app.route("/<path:path>", methods=["POST"])
    def view(path: str) -> str:
        request = flask.request
        for name in PROPERTIES:
            # What is wrong with the body may be told.
            with suppress(BadRequest, UnsupportedMediaType):
                value = getattr(request, name)
                _ = list(value.items()) if isinstance(value, MultiDict) else value
        seen.append(1)
        return ""

    for value in VALUES:
        environ = EnvironBuilder("/", method="POST", **form).get_environ() | {variable: value}
        answer = run_wsgi_app(app, environ)
        assert answer[1] < "500", (variable, value)
    assert len(seen) > len(VALUES) / 4


@pytest.mark.parametrize("date", UNREADABLE_DATES)
@pytest.mark.parametrize("header", ["Date", "If-Modified-Since", "If-Unmodified-Since", "If-Range"])
async def test_a_date_that_cannot_be_read_is_ignored(client: httpx.AsyncClient, header: str, date: str) -> None:
    whole = await client.get("/api/docs/docs.js")
    answer = await client.get("/api/docs/docs.js", headers={header: date})
    assert (answer.status_code, answer.content) == (200, whole.content)
    assert (await client.get("/api/users", headers={header: date})).status_code == 200


@pytest.mark.parametrize("date", [*UNREADABLE_DATES, "Mon, 99 Foo 9999"])
async def test_a_part_is_not_sent_on_a_condition_that_cannot_be_read(client: httpx.AsyncClient, date: str) -> None:
    part = await client.get("/api/docs/docs.js", headers={"Range": "bytes=0-9"})
    assert part.status_code == 206
    whole = await client.get("/api/docs/docs.js", headers={"Range": "bytes=0-9", "If-Range": date})
    assert whole.status_code == 200
    assert len(whole.content) > 10


async def test_a_query_of_other_bytes_than_utf_8_is_read(app: Flask, container: Container) -> None:
    asgi = create_asgi(container, app)
    for query, status in ((b"q=\xff", 200), (b"\xff=1", 422), (b"q=\xc3\xa9", 200)):
        answer = await ask(asgi, "/api/users", query_string=query, headers=RAW_HEADERS)
        assert answer.status == status, query


async def ask_by_name(asgi: FlaskASGI, host: str) -> int:
    scope: Any = http_scope("/health/live") | {"headers": [(b"host", host.encode())]}
    answer = await Conversation(asgi, scope).start().end()
    return answer.status


@pytest.mark.parametrize("host", ["a" * 256, "a." * 30_000, "b" * 64 + ".example.org", "xn--" + "a" * 60])
async def test_an_invalid_host_is_400(app: Flask, container: Container, host: str) -> None:
    assert await ask_by_name(create_asgi(container, app), host) == 400


async def test_no_long_name_of_a_host_is_remembered(app: Flask, container: Container) -> None:
    asgi = create_asgi(container, app)
    names = [f"{number:05}" + "a" * 60_000 for number in range(600)]
    assert await ask_by_name(asgi, "a" * 63 + ".example.org:8000") == 200
    tracemalloc.start()
    for name in names:
        assert await ask_by_name(asgi, name) == 400
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 10_000_000


async def test_the_files_of_the_docs_page_are_not_among_those_of_the_pages(client: httpx.AsyncClient) -> None:
    assert (await client.get("/static/docs.js")).status_code == 404
