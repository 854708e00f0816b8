"""Requests whose body cannot be had are answered like any other error."""

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from support.asgi import Conversation, http_scope

from carboy.config.settings import Settings
from carboy.server import create_asgi
from containers import Container

REFUSED: dict[str, tuple[int, list[tuple[bytes, bytes]], bytes]] = {
    "bad_request": (400, [(b"content-length", b"1"), (b"transfer-encoding", b"chunked")], b"{"),
    "request_timeout": (408, [(b"content-length", b"100")], b"{"),
    "content_too_large": (413, [(b"content-length", b"9999999")], b"{"),
    "unavailable": (503, [(b"content-length", b"1000000")], b"x" * 600_000),
}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    http = settings.http.model_copy(update={"body_stall_seconds": 0.01})
    return settings.model_copy(update={"http": http})


@pytest.fixture(autouse=True)
def _no_room_and_no_patience(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    monkeypatch.setattr("carboy.bridge.refusal.LINGER_SECONDS", 0)


@pytest.mark.parametrize("code", REFUSED)
@pytest.mark.parametrize("target", ["/api/users", "/health/live"])
async def test_a_refused_body_is_a_problem_and_is_logged(
    app: Flask, container: Container, caplog: pytest.LogCaptureFixture, code: str, target: str
) -> None:
    caplog.set_level("INFO", "carboy.request")
    status, headers, body = REFUSED[code]
    # A view that reads its body and one that does not are refused alike.
    method = "POST" if target == "/api/users" else "GET"
    headers = [*headers, (b"content-type", b"application/json")]
    conversation = Conversation(create_asgi(container, app), http_scope(target, method, headers), chunks=None)
    conversation.say(body, more=True)
    answer = await conversation.start().end()

    content: dict[str, Any] = json.loads(answer.body)
    assert (answer.status, content["status"], content["code"]) == (status, status, code)
    assert answer.header("content-type") == "application/problem+json"
    assert answer.header("x-request-id") == content["request_id"]
    assert answer.header("connection") == "close"
    assert answer.header("retry-after") == ("10" if status == 503 else None)
    lines = [record.__dict__["request"] for record in caplog.records if record.name == "carboy.request"]
    assert [(line["status"], line["route"]) for line in lines] == [(status, target)]
