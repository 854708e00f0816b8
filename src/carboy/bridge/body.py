"""Reads the whole request body before Flask runs.

A view that is called has its whole body: one that was cut short never reaches it. A body that cannot be had, as it is
too large, too slow, ambiguous, or finds no room, is refused: no view is called, and in its place stands the answer.
"""

import io
import logging
from collections.abc import Awaitable
from typing import IO, NoReturn, TypeVar

from asgiref.typing import ASGIReceiveCallable, HTTPScope
from werkzeug.exceptions import BadRequest, HTTPException, RequestEntityTooLarge, RequestTimeout, ServiceUnavailable

from carboy.bridge.framing import declared_length
from carboy.bridge.pace import ClientDisconnectedError, Pace
from carboy.bridge.storage import BodyMemory, RunInThread, Storage

__all__ = ["BodyReader", "ClientDisconnectedError", "RefusedBody", "RequestBody"]

RETRY_SECONDS = 10
"""When to try again after there was no room for a body: by then others have been served, or somebody has made room."""

T = TypeVar("T")

_log = logging.getLogger("carboy.bridge")


class RefusedBody(io.RawIOBase):
    """Stands in for a body that was refused; reading it raises the error.

    Args:
        error: Why it was refused.
        is_read: Whether the client has sent the body to its end, so that the next request can follow.
    """

    def __init__(self, error: HTTPException, *, is_read: bool = False) -> None:
        super().__init__()
        self.error = error
        self.is_read = is_read

    def readable(self) -> bool:
        return True

    def read(self, _size: int = -1, /) -> NoReturn:
        raise self.error

    def readinto(self, _buffer: object, /) -> NoReturn:
        raise self.error


RequestBody = IO[bytes] | RefusedBody


class BodyReader:
    """Reads the bodies of all requests, which share one budget of memory.

    Args:
        spool_bytes: The most bytes of one body to hold in memory; a longer body goes to a temporary file.
        memory_bytes: The most bytes of all bodies together to hold in memory; further ones go to temporary files.
        bytes_per_second: The least rate of a body.
        stall_seconds: How long to wait for a body that comes more slowly.
        run_in_thread: Runs a blocking function off the event loop.
    """

    def __init__(
        self,
        *,
        spool_bytes: int,
        memory_bytes: int,
        bytes_per_second: int,
        stall_seconds: float,
        run_in_thread: RunInThread,
    ) -> None:
        self.memory = BodyMemory(memory_bytes)
        self._spool_bytes = spool_bytes
        self._bytes_per_second = bytes_per_second
        self._stall_seconds = stall_seconds
        self._run_in_thread = run_in_thread

    async def read(
        self, scope: HTTPScope, receive: ASGIReceiveCallable, limit: int | None
    ) -> tuple[RequestBody, int | None]:
        """Read a request body.

        Args:
            scope: The ASGI scope of type ``http``.
            receive: Where the body's messages come from.
            limit: The most bytes to accept (`MAX_CONTENT_LENGTH`); None for any number.

        Returns:
            The body, which the caller closes, and its length in bytes, which is None if the client sent none. A body
            that cannot be had is a `RefusedBody`.

        Raises:
            ClientDisconnectedError: The client left before the body was complete.
        """
        try:
            declared = declared_length(scope)
        except BadRequest as error:
            # Nobody shall read a length that is none, least of all from what the client said of it.
            return RefusedBody(error), 0
        if limit is not None and declared is not None and declared > limit:
            return RefusedBody(RequestEntityTooLarge()), declared
        pace = Pace(receive, self._bytes_per_second, self._stall_seconds)
        try:
            first = await pace.next_chunk()
        except TimeoutError:
            return RefusedBody(RequestTimeout()), declared
        if not (first or pace.more or declared):
            return io.BytesIO(), declared
        storage = Storage(self.memory, self._spool_bytes, self._run_in_thread)
        try:
            return await _read(first, pace, storage, limit, declared)
        except HTTPException as error:
            storage.close()
            return RefusedBody(error, is_read=not pace.more), declared
        except BaseException:
            storage.close()
            raise


async def _next_chunk(pace: Pace) -> bytes:
    try:
        return await pace.next_chunk()
    except TimeoutError:
        raise RequestTimeout from None


async def _read(
    chunk: bytes, pace: Pace, storage: Storage, limit: int | None, declared: int | None
) -> tuple[IO[bytes], int | None]:
    received = 0
    while True:
        received += len(chunk)
        if limit is not None and received > limit:
            raise RequestEntityTooLarge
        if chunk:
            await _store(storage.add(chunk))
        # A client may be long in sending the next one.
        del chunk
        if not pace.more:
            break
        chunk = await _next_chunk(pace)
    if declared is not None and received < declared:
        raise ClientDisconnectedError
    return await _store(storage.finish()), received if received or declared is not None else None


async def _store(storing: Awaitable[T]) -> T:
    try:
        return await storing
    except OSError as error:
        # The client is told that it failed, the operator why.
        _log.error("There is no room for a request body: %s", error)
        raise ServiceUnavailable(retry_after=RETRY_SECONDS) from error
