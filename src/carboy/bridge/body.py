"""Reads a request body whole before any of Flask runs.

A view that is called has its whole body: one that was cut short never reaches it. What does not fit into memory
goes to a temporary file, and what is larger than the application allows is refused, unread where its length is known.
"""

import io
import tempfile
from collections.abc import Awaitable, Callable
from typing import IO, Any, NoReturn

from asgiref.typing import ASGIReceiveCallable, HTTPScope
from werkzeug.exceptions import RequestEntityTooLarge

RunInThread = Callable[..., Awaitable[Any]]


class ClientDisconnectedError(Exception):
    """The client left before its request was complete."""


class RefusedBody(io.RawIOBase):
    """Stands in for a body over the limit: whoever reads it answers 413."""

    def readable(self) -> bool:
        return True

    def read(self, _size: int = -1, /) -> NoReturn:
        raise RequestEntityTooLarge

    def readinto(self, _buffer: object, /) -> NoReturn:
        raise RequestEntityTooLarge


RequestBody = IO[bytes] | RefusedBody


async def read_body(
    scope: HTTPScope,
    receive: ASGIReceiveCallable,
    *,
    limit: int | None,
    spool_bytes: int,
    run_in_thread: RunInThread,
) -> tuple[RequestBody, int | None]:
    """Read the request body.

    Args:
        scope: The ASGI scope of type ``http``.
        receive: Where the body's messages come from.
        limit: The most bytes to accept (`MAX_CONTENT_LENGTH`); None for any number.
        spool_bytes: The most bytes to hold in memory; a longer body goes to a temporary file.
        run_in_thread: Runs a blocking function, a write to that file, off the event loop.

    Returns:
        The body and its length in bytes, which is None if the client sent none. A body over the limit is a
        `RefusedBody`.

    Raises:
        ClientDisconnectedError: The client left before the body was complete.
    """
    declared = _declared_length(scope)
    if limit is not None and declared is not None and declared > limit:
        return RefusedBody(), declared
    body: io.BytesIO | tempfile.SpooledTemporaryFile[bytes] = io.BytesIO()
    received, more = 0, True
    try:
        while more:
            message = await receive()
            if message["type"] != "http.request":
                raise ClientDisconnectedError  # noqa: TRY301 - the handler below closes the body.
            chunk, more = message.get("body", b""), message.get("more_body", False)
            received += len(chunk)
            if limit is not None and received > limit:
                body.close()
                return RefusedBody(), None
            if received <= spool_bytes:
                body.write(chunk)
                continue
            if isinstance(body, io.BytesIO):
                # A file of its own accord would block the loop; this one is owned here while a thread makes it one.
                spooled = tempfile.SpooledTemporaryFile()  # noqa: SIM115 - the request closes it.
                spooled.write(body.getvalue())
                body = spooled
            await run_in_thread(_write_to_disk, body, chunk)
        if declared is not None and received < declared:
            raise ClientDisconnectedError  # noqa: TRY301 - likewise.
    except BaseException:
        body.close()
        raise
    body.seek(0)
    return body, received if received or declared is not None else None


def _write_to_disk(body: tempfile.SpooledTemporaryFile[bytes], chunk: bytes) -> None:
    body.rollover()
    body.write(chunk)


LONGEST_LENGTH = 19
"""Digits of the largest length that fits 64 bits; int() of a longer header would itself be an attack."""


def _declared_length(scope: HTTPScope) -> int | None:
    # Chunks overrule a length that stands beside them (RFC 9112 section 6.3).
    if any(name == b"transfer-encoding" for name, _ in scope["headers"]):
        return None
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value) if value.isdigit() and len(value) <= LONGEST_LENGTH else None
    return None
