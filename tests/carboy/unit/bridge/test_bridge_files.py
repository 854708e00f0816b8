from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, Response, send_file, send_from_directory
from support.asgi import Answer, Header, ask
from werkzeug.utils import redirect

from carboy.bridge import FlaskASGI
from carboy.bridge.environ import FILE_CHUNK_BYTES

CONTENT = bytes(range(256)) * 4096


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "data.bin").write_bytes(CONTENT)
    return tmp_path


@pytest.fixture(params=["/sync", "/async", "/directory", "/static/data.bin"])
def path(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def opened() -> Iterator[list[Any]]:
    """Each file that the application opens; in the end it has closed them."""
    files: list[Any] = []
    yield files
    assert all(file.closed for file in files)


@pytest.fixture
def asgi(folder: Path, opened: list[Any], monkeypatch: pytest.MonkeyPatch) -> FlaskASGI:
    """An application that serves one file in four ways, and keeps each file that it opens in `opened`."""
    app = Flask("bridge_tests", static_folder=str(folder), static_url_path="/static")

    @app.get("/sync")
    def sync_view() -> Response:
        return send_file(folder / "data.bin")

    @app.get("/async")
    async def async_view() -> Response:
        return send_file(folder / "data.bin")

    @app.get("/directory")
    async def directory_view() -> Response:
        return send_from_directory(folder, "data.bin")

    @app.get("/away")
    async def away() -> Any:
        return redirect("/sync")

    builtin_open = open

    def watched_open(*arguments: Any, **options: Any) -> Any:
        file = builtin_open(*arguments, **options)
        opened.append(file)
        return file

    # Werkzeug opens files by the name `open` in its own module.
    monkeypatch.setattr("werkzeug.utils.open", watched_open, raising=False)
    return FlaskASGI(app)


async def ask_with(asgi: FlaskASGI, path: str, *headers: Header, method: str = "GET") -> Answer:
    return await ask(asgi, path, method=method, headers=headers)


async def test_a_file_is_sent_whole_in_large_chunks_and_closed(asgi: FlaskASGI, path: str, opened: list[Any]) -> None:
    answer = await ask(asgi, path)
    assert (answer.status, answer.header("content-length")) == (200, str(len(CONTENT)))
    assert answer.body == CONTENT
    assert len(answer.chunks) == len(CONTENT) / FILE_CHUNK_BYTES
    assert [file.closed for file in opened] == [True]


@pytest.mark.parametrize(
    ("asked", "start", "expected"),
    [
        (b"bytes=0-0", 0, CONTENT[:1]),
        (b"bytes=5-9", 5, CONTENT[5:10]),
        (b"bytes=-7", len(CONTENT) - 7, CONTENT[-7:]),
        (b"bytes=300000-", 300000, CONTENT[300000:]),
    ],
    ids=["first byte", "middle", "last bytes", "rest"],
)
async def test_a_range_is_answered_with_that_part(
    asgi: FlaskASGI, path: str, asked: bytes, start: int, expected: bytes
) -> None:
    answer = await ask_with(asgi, path, (b"range", asked))
    assert answer.status == 206
    assert answer.body == expected
    assert answer.header("content-length") == str(len(expected))
    assert answer.header("content-range") == f"bytes {start}-{start + len(expected) - 1}/{len(CONTENT)}"


async def test_a_range_beyond_the_file_is_answered_416(asgi: FlaskASGI, path: str) -> None:
    answer = await ask_with(asgi, path, (b"range", b"bytes=99999999-"))
    assert answer.status == 416
    assert answer.header("content-range") == f"bytes */{len(CONTENT)}"


@pytest.mark.parametrize("validator", ["last-modified", "etag"])
async def test_a_file_that_the_client_has_is_answered_304_without_a_body(
    asgi: FlaskASGI, path: str, validator: str
) -> None:
    known = (await ask(asgi, path)).header(validator)
    assert known is not None
    condition = {"last-modified": b"if-modified-since", "etag": b"if-none-match"}[validator]
    answer = await ask_with(asgi, path, (condition, known.encode()))
    assert (answer.status, answer.body, answer.complete) == (304, b"", True)
    assert answer.header("content-length") is None


async def test_head_of_a_file_has_its_headers_and_no_body(asgi: FlaskASGI, path: str) -> None:
    answer = await ask_with(asgi, path, method="HEAD")
    assert (answer.status, answer.body, answer.complete) == (200, b"", True)
    assert answer.header("content-length") == str(len(CONTENT))


async def test_a_missing_file_is_answered_404(asgi: FlaskASGI) -> None:
    assert (await ask(asgi, "/static/none.bin")).status == 404


async def test_an_empty_file_is_an_empty_body(asgi: FlaskASGI, folder: Path) -> None:
    (folder / "empty").touch()
    answer = await ask(asgi, "/static/empty")
    assert (answer.status, answer.body, answer.header("content-length"), answer.complete) == (200, b"", "0", True)
