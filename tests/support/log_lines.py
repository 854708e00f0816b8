"""Reads what an application has logged, as its collector would."""

import io
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask

from carboy.config.settings import LoggingSettings, Settings
from carboy.telemetry.stderr import Stderr

Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"logging": LoggingSettings(level="INFO", format="json")})


@pytest.fixture(autouse=True)
def logging_put_back() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level


@pytest.fixture
def lines(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Lines:
    """Return what has been logged since last asked, each line read as JSON."""
    # The client of the tests logs its requests too.
    monkeypatch.setattr(logging.getLogger("httpx"), "disabled", True)
    [handler] = [handler for handler in logging.getLogger().handlers if type(handler) is Stderr]
    handler.setStream(stream := io.StringIO())

    def lines() -> list[dict[str, Any]]:
        handler.flush()
        text = stream.getvalue()
        stream.seek(0)
        stream.truncate()
        return [json.loads(line) for line in text.splitlines()]

    return lines
