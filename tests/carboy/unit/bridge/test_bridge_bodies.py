import asyncio
import hashlib
import io
import threading
from typing import Any

import pytest
from flask import Flask, request
from support.asgi import PATIENCE, Conversation, ask, http_scope
from werkzeug.datastructures import FileStorage
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.test import encode_multipart

from carboy.bridge import FlaskASGI, storage


@pytest.fixture(params=["/sync", "/async"])
def path(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def add_echo(app: Flask) -> list[str]:
    """Add views that echo the body, and return a list of those that were called."""
    called: list[str] = []

    @app.post("/sync")
    def sync_view() -> bytes:
        called.append("sync")
        return request.get_data()

    @app.post("/async")
    async def async_view() -> bytes:
        called.append("async")
        return request.get_data()

    return called


async def test_a_body_without_a_length_arrives_whole(app: Flask, asgi: FlaskASGI, path: str) -> None:
    add_echo(app)
    headers = [(b"transfer-encoding", b"chunked")]
    answer = await ask(asgi, path, method="POST", headers=headers, chunks=[b"one", b"", b"two", b""])
    assert answer.body == b"onetwo"


async def test_a_body_past_the_spool_size_goes_to_disk_and_arrives_whole(app: Flask, path: str) -> None:
    add_echo(app)
    chunks = [bytes([number]) * 700 for number in range(50)]
    answer = await ask(FlaskASGI(app, spool_bytes=1000), path, method="POST", chunks=chunks)
    assert answer.body == b"".join(chunks)


async def test_a_large_body_is_written_to_disk_off_the_loop(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    threads: set[int] = set()
    write_to_disk = storage._write_to_disk  # noqa: SLF001 - only where it runs shows whether it blocks.

    def watched(*arguments: Any) -> None:
        threads.add(threading.get_ident())
        write_to_disk(*arguments)

    monkeypatch.setattr("carboy.bridge.storage._write_to_disk", watched)
    add_echo(app)
    await ask(FlaskASGI(app, spool_bytes=10), "/async", method="POST", chunks=[b"x" * 20] * 5)
    assert threads
    assert threading.get_ident() not in threads


@pytest.mark.parametrize("headers", [[], [(b"content-length", b"9")]])
async def test_a_body_cut_short_never_reaches_a_view(
    app: Flask, asgi: FlaskASGI, path: str, headers: list[tuple[bytes, bytes]]
) -> None:
    called = add_echo(app)
    conversation = Conversation(asgi, http_scope(path, "POST", headers), chunks=None).start()
    conversation.say(b"half", more=True)
    conversation.leave()
    answer = await conversation.end()
    assert (called, answer.messages) == ([], [])


async def test_a_body_shorter_than_its_length_never_reaches_a_view(app: Flask, asgi: FlaskASGI, path: str) -> None:
    called = add_echo(app)
    headers = [(b"content-length", b"9")]
    answer = await ask(asgi, path, method="POST", headers=headers, chunks=[b"half"])
    assert (called, answer.messages) == ([], [])


async def test_a_declared_length_over_the_limit_is_refused_unread(app: Flask, asgi: FlaskASGI, path: str) -> None:
    app.config["MAX_CONTENT_LENGTH"] = 10
    called = add_echo(app)

    @app.errorhandler(RequestEntityTooLarge)
    async def too_large(_error: RequestEntityTooLarge) -> tuple[str, int]:
        return "too large, says the application", 413

    conversation = Conversation(asgi, http_scope(path, "POST", [(b"content-length", b"11")]), chunks=None).start()
    # The answer does not wait for the body, which is thrown away after it.
    await conversation.until(lambda: conversation.received)
    answer = conversation.answer
    assert (answer.status, answer.text, called) == (413, "too large, says the application", [])
    conversation.leave()
    await conversation.end()


async def test_a_chunked_body_over_the_limit_is_refused_once_it_is_over(app: Flask, asgi: FlaskASGI, path: str) -> None:
    app.config["MAX_CONTENT_LENGTH"] = 10
    called = add_echo(app)
    conversation = Conversation(asgi, http_scope(path, "POST"), chunks=None).start()
    conversation.say(b"123456", more=True)
    conversation.say(b"123456", more=True)
    await conversation.until(lambda: conversation.received == 3)
    assert (called, conversation.answer.status) == ([], 413)
    conversation.leave()
    await conversation.end()


async def test_a_body_at_the_limit_is_accepted(app: Flask, asgi: FlaskASGI, path: str) -> None:
    app.config["MAX_CONTENT_LENGTH"] = 10
    add_echo(app)
    for headers in ([], [(b"content-length", b"10")]):
        answer = await ask(asgi, path, method="POST", headers=headers, chunks=[b"12345", b"67890"])
        assert answer.body == b"1234567890"


async def test_a_hook_that_reads_a_refused_body_answers_413(app: Flask, asgi: FlaskASGI) -> None:
    app.config["MAX_CONTENT_LENGTH"] = 10
    called = add_echo(app)

    @app.before_request
    def read() -> None:
        request.get_data()

    assert (await ask(asgi, "/sync", method="POST", chunks=[b"x" * 11])).status == 413
    assert (await ask(asgi, "/sync", method="POST", headers=[(b"content-length", b"11")])).status == 413
    assert called == []


async def test_an_unknown_path_is_404_whatever_its_body(app: Flask, asgi: FlaskASGI) -> None:
    app.config["MAX_CONTENT_LENGTH"] = 10
    assert (await ask(asgi, "/none", method="POST", chunks=[b"x" * 11])).status == 404


async def test_a_form_with_a_file_is_parsed(app: Flask) -> None:
    file = bytes(range(256)) * 1000

    @app.post("/")
    def view() -> dict[str, Any]:
        upload = request.files["file"]
        return {
            "name": request.form["name"],
            "file": upload.filename,
            "digest": hashlib.sha256(upload.read()).hexdigest(),
        }

    boundary, form = encode_multipart({"name": "Ä", "file": FileStorage(io.BytesIO(file), "f.bin")})
    headers = [(b"content-type", f"multipart/form-data; boundary={boundary}".encode())]
    chunks = [form[start : start + 1000] for start in range(0, len(form), 1000)]
    answer = await ask(FlaskASGI(app, spool_bytes=5000), method="POST", headers=headers, chunks=chunks)
    assert answer.status == 200
    assert hashlib.sha256(file).hexdigest() in answer.text
    assert "f.bin" in answer.text


@pytest.mark.parametrize("headers", [[], [(b"content-length", b"0")]])
async def test_an_empty_body_is_empty_and_not_missing(
    app: Flask, asgi: FlaskASGI, path: str, headers: list[tuple[bytes, bytes]]
) -> None:
    add_echo(app)
    answer = await ask(asgi, path, method="POST", headers=headers)
    assert (answer.status, answer.body) == (200, b"")


async def test_a_view_need_not_read_its_body(app: Flask, asgi: FlaskASGI) -> None:
    @app.post("/")
    async def view() -> str:
        return "unread"

    assert (await ask(asgi, method="POST", chunks=[b"x" * 100_000] * 20)).text == "unread"


async def test_json_and_form_bodies_know_their_length(app: Flask, asgi: FlaskASGI) -> None:
    @app.post("/")
    async def view() -> dict[str, Any]:
        return {"length": request.content_length, "chunked": request.headers.get("transfer-encoding"), **request.form}

    headers = [(b"content-type", b"application/x-www-form-urlencoded"), (b"transfer-encoding", b"chunked")]
    answer = await ask(asgi, method="POST", headers=headers, chunks=[b"a=", b"1"])
    assert answer.text.replace("\n", "") == '{"a":"1","chunked":null,"length":3}'


async def test_the_server_giving_up_an_unfinished_body_ends_the_request(app: Flask) -> None:
    called = add_echo(app)
    asgi = FlaskASGI(app, spool_bytes=10)
    conversation = Conversation(asgi, http_scope("/async", "POST"), chunks=None).start()
    # The second receive() shows that the first part has been stored, on disk, which must be closed again.
    conversation.say(b"x" * 100, more=True)
    await conversation.until(lambda: conversation.received == 2)
    assert conversation.outer is not None
    conversation.outer.cancel()
    await asyncio.wait([conversation.outer, *asgi.requests], timeout=PATIENCE)
    assert (called, asgi.requests) == ([], set())
