"""Headers that leave doubt of where a body ends, by which a second request could hide in the first."""

from typing import Any

import pytest
from flask import Flask, request
from support.asgi import Answer, Header, ask

from carboy.bridge import FlaskASGI

CHUNKED = (b"transfer-encoding", b"chunked")


@pytest.fixture
def called(app: Flask) -> list[bytes]:
    """Return the bodies of the requests for which a view was called."""
    called: list[bytes] = []

    @app.post("/")
    async def view() -> str:
        called.append(request.get_data())
        return "served"

    return called


async def post(asgi: FlaskASGI, *headers: Header, **changes: Any) -> Answer:
    return await ask(asgi, method="POST", headers=headers, chunks=[b"body"], **changes)


@pytest.mark.parametrize(
    "headers",
    [
        [CHUNKED, (b"content-length", b"4")],
        [(b"content-length", b"4"), CHUNKED],
        [CHUNKED, CHUNKED],
        [(b"transfer-encoding", b"gzip, chunked")],
        [(b"transfer-encoding", b"identity")],
        [(b"transfer-encoding", b"\x0bchunked")],
        [(b"content-length", b"4"), (b"content-length", b"5")],
    ],
)
async def test_headers_that_contradict_each_other_are_400_and_close_the_connection(
    asgi: FlaskASGI, called: list[bytes], headers: list[Header]
) -> None:
    answer = await post(asgi, *headers)
    assert (answer.status, answer.header("connection"), called) == (400, "close", [])


@pytest.mark.parametrize("length", [b"x", b"-1", b"+4", b"", b"4, 4", b"0x4", b"\xb2", b"9" * 5000])
async def test_a_length_that_is_no_number_is_400_and_closes_the_connection(
    asgi: FlaskASGI, called: list[bytes], length: bytes
) -> None:
    answer = await post(asgi, (b"content-length", length))
    assert (answer.status, answer.header("connection"), called) == (400, "close", [])


@pytest.mark.parametrize("version", ["1.0", "2", "3"])
async def test_chunks_in_a_version_of_http_that_has_none_are_400(
    asgi: FlaskASGI, called: list[bytes], version: str
) -> None:
    answer = await post(asgi, CHUNKED, http_version=version)
    assert (answer.status, called) == (400, [])


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [CHUNKED],
        [(b"transfer-encoding", b"Chunked")],
        [(b"content-length", b"4")],
        # The same length twice leaves no doubt (RFC 9110 section 8.6).
        [(b"content-length", b"4"), (b"content-length", b"4")],
    ],
)
async def test_headers_without_doubt_are_served_and_the_connection_is_kept(
    asgi: FlaskASGI, called: list[bytes], headers: list[Header]
) -> None:
    answer = await post(asgi, *headers)
    assert (answer.status, answer.header("connection"), called) == (200, None, [b"body"])


async def test_an_ambiguous_body_has_no_content_length_in_the_environ(app: Flask, asgi: FlaskASGI) -> None:
    lengths: list[int | None] = []

    @app.before_request
    def look() -> None:
        lengths.append(request.content_length)

    assert (await post(asgi, (b"content-length", b"x"))).status == 404
    assert lengths == [0]
