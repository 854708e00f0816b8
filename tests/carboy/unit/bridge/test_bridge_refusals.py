"""What becomes of the connection when a request is answered whose body was not read to its end."""

import asyncio

import pytest
from asgiref.typing import ASGIReceiveEvent, ASGISendEvent
from flask import Flask, Response
from support.asgi import Answer, Conversation, ask, http_scope, within

from carboy.bridge import FlaskASGI

TOO_LONG = [(b"content-length", b"11")]


@pytest.fixture(autouse=True)
def limit(app: Flask) -> None:
    app.config["MAX_CONTENT_LENGTH"] = 10
    app.add_url_rule("/", view_func=lambda: "served", methods=["POST"])


async def test_the_connection_is_closed_after_a_body_that_was_not_read(asgi: FlaskASGI) -> None:
    for target in ("/", "/unknown"):
        assert (await ask(asgi, target, method="POST", headers=TOO_LONG)).all_headers("connection") == ["close"]


async def test_the_connection_is_kept_after_a_body_that_was_read_to_its_end(asgi: FlaskASGI) -> None:
    for length in (1, 11):
        answer = await ask(asgi, method="POST", chunks=[b"x" * length])
        assert (answer.status, answer.header("connection")) == (200 if length == 1 else 413, None)


async def test_over_http_2_there_is_no_connection_header(app: Flask, asgi: FlaskASGI) -> None:
    answer = await ask(asgi, method="POST", headers=TOO_LONG, http_version="2")
    assert (answer.status, answer.header("connection")) == (413, None)


async def test_what_the_application_says_of_the_connection_does_not_count(app: Flask, asgi: FlaskASGI) -> None:
    @app.after_request
    def keep(response: Response) -> Response:
        response.headers["Connection"] = "keep-alive"
        return response

    assert (await ask(asgi, method="POST", headers=TOO_LONG)).all_headers("connection") == ["close"]


async def test_the_answer_ends_once_the_client_has_sent_the_rest(asgi: FlaskASGI) -> None:
    conversation = Conversation(asgi, http_scope("/", "POST", TOO_LONG), chunks=None).start()
    await conversation.until(lambda: conversation.received == 1)
    # All that is to be read is there, so that the client need not wait; only the end is not.
    assert conversation.answer.header("content-length") == str(len(conversation.answer.body))
    conversation.say(b"x" * 6, more=True)
    await conversation.until(lambda: conversation.received == 2)
    assert not conversation.answer.complete
    conversation.say(b"x" * 5)
    assert (await conversation.end()).complete


async def test_the_answer_ends_without_the_rest_after_a_while(asgi: FlaskASGI, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("carboy.bridge.refusal.LINGER_SECONDS", 0.01)
    answer = await Conversation(asgi, http_scope("/", "POST", TOO_LONG), chunks=None).start().end()
    assert (answer.status, answer.complete) == (413, True)


async def test_a_server_that_waits_until_its_messages_are_taken_can_end_the_request(
    asgi: FlaskASGI, monkeypatch: pytest.MonkeyPatch
) -> None:
    # hypercorn's queue holds ten messages, and to the last one of the answer it adds that the client has left.
    messages: asyncio.Queue[ASGIReceiveEvent] = asyncio.Queue(10)
    answer = Answer()

    async def flood() -> None:
        while not answer.complete:
            await messages.put({"type": "http.request", "body": b"x", "more_body": True})

    async def send(message: ASGISendEvent) -> None:
        answer.messages.append(message)
        if answer.complete:
            await messages.put({"type": "http.disconnect"})

    monkeypatch.setattr("carboy.bridge.refusal.LINGER_SECONDS", 0)
    flooding = asyncio.create_task(flood())
    await within(asgi(http_scope("/", "POST"), messages.get, send))
    await within(flooding)
    assert (answer.status, answer.complete) == (413, True)


async def test_a_stream_in_answer_to_a_refused_body_arrives_whole(
    app: Flask, asgi: FlaskASGI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("carboy.bridge.refusal.LINGER_SECONDS", 0)

    @app.before_request
    def stream() -> Response:
        return Response(iter(["one", "two"]))

    answer = await Conversation(asgi, http_scope("/", "POST", TOO_LONG), chunks=None).start().end()
    assert (answer.chunks, answer.header("connection"), answer.complete) == ([b"one", b"two"], "close", True)


@pytest.mark.parametrize("path", ["/async", "/sync"])
async def test_the_handler_of_a_refused_body_can_call_the_application_itself(
    app: Flask, asgi: FlaskASGI, path: str
) -> None:
    app.config["MAX_CONTENT_LENGTH"] = 5
    app.add_url_rule("/sync", "sync", lambda: "sync", methods=["POST"])

    @app.get("/other")
    @app.post("/async")
    async def view() -> str:
        return "other"

    @app.errorhandler(413)
    def handle(_error: Exception) -> tuple[str, int]:
        return app.test_client().get("/other").text, 413

    answer = await ask(asgi, path, method="POST", headers=[(b"content-length", b"9")], chunks=[b"x" * 9])
    assert (answer.status, answer.text) == (413, "other")
