"""Views that stream."""

from collections.abc import Callable
from typing import Any

from flask import Flask
from support.asgi import Conversation


def add_view(app: Flask, make: Callable[[], Any], *, is_async: bool) -> None:
    async def async_view() -> Any:
        return make()

    app.add_url_rule("/", "stream", async_view if is_async else make)


async def has_begun(stream: Conversation) -> None:
    await stream.until(lambda: stream.answer.chunks)
