"""A large JSON answer is compressed as its client likes best, and every answer says that this depends on the client."""

import gzip
import json
import sys
from collections.abc import Callable, Iterator

import brotli  # type: ignore[import-untyped]  # it publishes no types.
import httpx
import pytest
from flask import Flask, Response, request

from carboy.config.settings import Settings

pytestmark = pytest.mark.own_app

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

LARGE = json.dumps([{"id": number, "name": f"Ada {number}"} for number in range(4000)]).encode()
DECODE: dict[str | None, Callable[[bytes], bytes]] = {
    "gzip": gzip.decompress,
    "br": brotli.decompress,
    "zstd": zstd.decompress,
    None: bytes,
}
BROWSER = "gzip, deflate, br, zstd"


@pytest.fixture(autouse=True)
def views(app: Flask) -> None:
    """Answers of each kind; ``bytes`` is how many there are of ``sized``."""

    def answer(body: bytes | Iterator[bytes], status: int = 200, **headers: str) -> Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return Response(body, status, named, content_type=headers.pop("Content_Type", "application/json"))

    def not_modified() -> Response:
        return Response(status=304, headers={"ETag": request.headers["If-None-Match"]})

    views: dict[str, Callable[[], Response]] = {
        "large": lambda: answer(LARGE, ETag='"3"'),
        "weak": lambda: answer(LARGE, ETag='W/"3"'),
        "created": lambda: answer(LARGE, 201),
        "sized": lambda: answer(b" " * int(request.args["bytes"])),
        "secret": lambda: answer(LARGE, Cache_Control="no-store"),
        "varied": lambda: answer(LARGE, Vary="Accept-Language"),
        "partial": lambda: answer(LARGE, 206, Content_Range="bytes 0-9/10"),
        "encoded": lambda: answer(gzip.compress(LARGE), Content_Encoding="gzip"),
        "page": lambda: answer(LARGE, Content_Type="text/html"),
        "stream": lambda: answer(iter([LARGE, LARGE])),
        "problem": lambda: answer(LARGE, 422, Content_Type="application/problem+json"),
        "not-modified": not_modified,
    }
    for name, view in views.items():
        app.add_url_rule(f"/api/{name}", name, view)


async def ask(
    client: httpx.AsyncClient, name: str, accept: str | None, method: str = "GET", **headers: str
) -> tuple[httpx.Response, bytes]:
    """Return an answer, and its body as it was sent."""
    client.headers.pop("Accept-Encoding", None)
    if accept is not None:
        headers["Accept-Encoding"] = accept
    async with client.stream(method, f"/api/{name}", headers=headers) as answer:
        return answer, b"".join([chunk async for chunk in answer.aiter_raw()])


@pytest.mark.parametrize(
    ("accept", "coding"),
    [
        ("gzip", "gzip"),
        ("br", "br"),
        ("zstd", "zstd"),
        (BROWSER, "zstd"),
        ("gzip, br", "br"),
        ("GZIP", "gzip"),
        ("gzip;q=1, br;q=0.5", "gzip"),
        ("gzip ; q=0.001", "gzip"),
        ("*", "zstd"),
        ("zstd;q=0, *", "br"),
        ("br;q=0, gzip;q=0.1", "gzip"),
        ("identity;q=0, gzip", "gzip"),
        ("identity;q=0, *", "zstd"),
        ("identity;q=0.5, gzip;q=0.5", "gzip"),
        (None, None),
        ("", None),
        ("identity", None),
        ("identity, gzip;q=0.5", None),
        ("deflate", None),
        ("gzip;q=0", None),
        ("gzip;q=0, br;q=0", None),
        ("*;q=0", None),
        # Nothing that the client accepts: RFC 9110 section 12.4.1 lets the server disregard the header.
        ("identity;q=0", None),
        # Malformed, and each member that is counts for nothing.
        ("gzip;q=nan", None),
        ("gzip;q=-1", None),
        (";;;,,, =;q", None),
        ("\x01gzip", None),
        ("gzip;q=2, br", "br"),
        ("gzip;q=", "gzip"),
        (", ,br,,", "br"),
        # Too long to be read.
        ("gzip, " * 10_000, None),
    ],
)
async def test_the_client_gets_the_coding_that_it_likes_best(
    client: httpx.AsyncClient, accept: str | None, coding: str | None
) -> None:
    answer, body = await ask(client, "large", accept)
    assert answer.status_code == 200
    assert answer.headers.get("Content-Encoding") == coding
    assert answer.headers["Content-Length"] == str(len(body))
    assert answer.headers["Vary"] == "Accept-Encoding"
    assert DECODE[coding](body) == LARGE
    assert coding is None or len(body) < len(LARGE) / 4


async def test_each_coding_has_a_strong_etag_of_its_own_and_shares_a_weak_one(client: httpx.AsyncClient) -> None:
    strong = [(await ask(client, "large", accept))[0].headers["ETag"] for accept in ("identity", "gzip", "br", "zstd")]
    assert strong == ['"3"', '"3:gzip"', '"3:br"', '"3:zstd"']
    assert (await ask(client, "weak", "gzip"))[0].headers["ETag"] == 'W/"3"'


async def test_head_tells_what_get_would(client: httpx.AsyncClient) -> None:
    for accept in ("identity", "gzip", "br", "zstd"):
        got, _ = await ask(client, "large", accept)
        head, body = await ask(client, "large", accept, "HEAD")
        assert body == b""
        for name in ("Content-Encoding", "Content-Length", "ETag", "Vary"):
            assert head.headers.get(name) == got.headers.get(name)


async def test_an_answer_of_the_configured_size_is_compressed_and_a_smaller_one_is_not(
    client: httpx.AsyncClient, settings: Settings
) -> None:
    size = settings.http.compress_min_bytes
    for sent, coding in ((size - 1, None), (size, "gzip")):
        answer, body = await ask(client, f"sized?bytes={sent}", "gzip")
        assert answer.headers.get("Content-Encoding") == coding
        assert answer.headers["Vary"] == "Accept-Encoding"
        assert len(DECODE[coding](body)) == sent


async def test_what_was_created_is_compressed_too(client: httpx.AsyncClient) -> None:
    answer, body = await ask(client, "created", "br")
    assert answer.status_code == 201
    assert DECODE["br"](body) == LARGE


async def test_a_304_keeps_its_tag_and_says_that_it_depends_on_the_client(client: httpx.AsyncClient) -> None:
    answer, body = await ask(client, "not-modified", "gzip", **{"If-None-Match": '"3:gzip"'})
    assert (answer.status_code, body) == (304, b"")
    assert answer.headers["ETag"] == '"3:gzip"'
    assert answer.headers["Vary"] == "Accept-Encoding"
    assert "Content-Encoding" not in answer.headers


@pytest.mark.parametrize("name", ["secret", "partial", "page", "stream", "problem"])
async def test_a_secret_a_part_a_page_a_stream_and_a_problem_stay_as_they_are(
    client: httpx.AsyncClient, name: str
) -> None:
    answer, body = await ask(client, name, BROWSER)
    assert "Content-Encoding" not in answer.headers
    assert body in {LARGE, LARGE * 2}


async def test_a_compressed_response_is_left_alone(client: httpx.AsyncClient) -> None:
    answer, body = await ask(client, "encoded", BROWSER)
    assert answer.headers["Content-Encoding"] == "gzip"
    assert DECODE["gzip"](body) == LARGE


async def test_other_vary_headers_are_kept(client: httpx.AsyncClient) -> None:
    for accept in ("identity", "gzip"):
        answer, _ = await ask(client, "varied", accept)
        assert answer.headers["Vary"] == "Accept-Language, Accept-Encoding"


async def test_the_server_alone_says_the_date(client: httpx.AsyncClient) -> None:
    answer, _ = await ask(client, "large", "gzip")
    assert "Date" not in answer.headers


class TestSwitchedOff:
    """With a size of zero, as where a proxy compresses."""

    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return settings.model_copy(update={"http": settings.http.model_copy(update={"compress_min_bytes": 0})})

    async def test_nothing_is_compressed_or_said_of_it(self, client: httpx.AsyncClient) -> None:
        answer, body = await ask(client, "large", BROWSER)
        assert body == LARGE
        assert "Vary" not in answer.headers
