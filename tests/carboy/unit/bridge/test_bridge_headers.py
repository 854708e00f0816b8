from collections.abc import AsyncIterator
from typing import Any

import pytest
from flask import Flask, Response
from support.asgi import ask

from carboy.bridge import FlaskASGI


@pytest.fixture(autouse=True)
def views(app: Flask) -> None:
    @app.get("/whole")
    async def whole() -> str:
        return "body"

    @app.get("/stream")
    async def stream() -> AsyncIterator[str]:
        yield "body"

    @app.get("/cookies")
    def cookies() -> Response:
        response = Response("ok")
        response.set_cookie("a", "1")
        response.set_cookie("b", "2")
        response.headers["x-name"] = "\xe4"
        return response

    @app.get("/status/<int:status>")
    async def status(status: int) -> Any:
        return "", status, {"x-kept": "yes"}


async def test_head_has_the_headers_of_get_and_no_body(asgi: FlaskASGI) -> None:
    answer = await ask(asgi, "/whole", method="HEAD")
    assert (answer.status, answer.header("content-length"), answer.body, answer.complete) == (200, "4", b"", True)


async def test_head_of_a_stream_starts_no_generator(asgi: FlaskASGI) -> None:
    answer = await ask(asgi, "/stream", method="HEAD")
    assert (answer.status, answer.header("content-length"), answer.body, answer.complete) == (200, None, b"", True)


@pytest.mark.parametrize("status", [204, 304])
async def test_statuses_without_a_body_have_neither_body_nor_length(asgi: FlaskASGI, status: int) -> None:
    answer = await ask(asgi, f"/status/{status}")
    assert (answer.status, answer.body, answer.complete) == (status, b"", True)
    assert answer.header("content-length") is None
    assert answer.header("x-kept") == "yes"


async def test_an_empty_body_has_length_nought(asgi: FlaskASGI) -> None:
    answer = await ask(asgi, "/status/200")
    assert (answer.header("content-length"), answer.body, answer.complete) == ("0", b"", True)


async def test_each_of_two_cookies_has_a_header_of_its_own(asgi: FlaskASGI) -> None:
    assert (await ask(asgi, "/cookies")).all_headers("set-cookie") == ["a=1; Path=/", "b=2; Path=/"]


async def test_header_names_are_lower_case_and_values_latin1(asgi: FlaskASGI) -> None:
    headers = (await ask(asgi, "/cookies")).headers
    assert all(name == name.lower() for name, _ in headers)
    assert (b"x-name", b"\xe4") in headers


async def test_options_lists_the_methods(asgi: FlaskASGI) -> None:
    allow = (await ask(asgi, "/whole", method="OPTIONS")).header("allow")
    assert allow is not None
    assert set(allow.split(", ")) == {"GET", "HEAD", "OPTIONS"}


async def test_a_method_that_is_not_allowed_is_405(asgi: FlaskASGI) -> None:
    assert (await ask(asgi, "/whole", method="DELETE")).status == 405
