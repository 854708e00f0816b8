"""Keeps request bodies while they arrive and are served: in memory, or in temporary files.

The memory that all bodies together may take is limited, so that many clients cannot take what one alone may not.
"""

import io
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import suppress
from threading import RLock
from typing import IO, Any

RunInThread = Callable[..., Awaitable[Any]]

WRITE_BYTES = 16 * 1024
"""The least to write to a file at once, but for its end: each write is a trip to a thread."""


class BodyMemory:
    """Counts the memory that the bodies of all requests in flight take.

    Args:
        limit: The most bytes that they may take together.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0
        # A view may close its body in a worker thread.
        self._lock = RLock()

    def take(self, count: int) -> bool:
        """Take so many bytes if that many are left, and tell whether they were."""
        with self._lock:
            if self.used + count > self.limit:
                return False
            self.used += count
            return True

    def give_back(self, count: int) -> None:
        with self._lock:
            self.used -= count


class MemoryBody(io.BytesIO):
    """A body in memory, which counts as such until it is closed."""

    def __init__(self, memory: BodyMemory) -> None:
        super().__init__()
        self._memory = memory
        self._taken = 0

    def add(self, chunk: bytes) -> bool:
        """Append a chunk if there is memory for it, and tell whether there was."""
        if not self._memory.take(len(chunk)):
            return False
        self._taken += len(chunk)
        self.write(chunk)
        return True

    def close(self) -> None:
        if self._taken:
            taken, self._taken = self._taken, 0
            self._memory.give_back(taken)
        super().close()


class Storage:
    """Stores one body: in memory at first, in a temporary file once it is long or memory is short.

    Args:
        memory: What the bodies of all requests share.
        spool_bytes: The most bytes of this body to hold in memory.
        run_in_thread: Runs a blocking function, such as a write to a file, off the event loop.
    """

    def __init__(self, memory: BodyMemory, spool_bytes: int, run_in_thread: RunInThread) -> None:
        self._in_memory = MemoryBody(memory)
        self._file: tempfile.SpooledTemporaryFile[bytes] | None = None
        self._spool_bytes = spool_bytes
        self._unwritten = bytearray()
        self._run_in_thread = run_in_thread

    async def add(self, chunk: bytes) -> None:
        """Append a chunk.

        Raises:
            OSError: There is no room for a temporary file.
        """
        if self._file is None:
            fits = self._in_memory.tell() + len(chunk) <= self._spool_bytes
            if fits and self._in_memory.add(chunk):
                return
            # A file of its own accord would block the loop; this one is owned here while a thread makes it one.
            self._file = tempfile.SpooledTemporaryFile()  # noqa: SIM115 - the request closes it.
        self._unwritten += chunk
        if len(self._unwritten) >= WRITE_BYTES:
            await self._write(self._file)

    async def finish(self) -> IO[bytes]:
        """Return the whole body, to be read from its start. The caller closes it.

        Raises:
            OSError: There is no room for a temporary file.
        """
        if self._file is None:
            self._in_memory.seek(0)
            return self._in_memory
        await self._write(self._file)
        self._file.seek(0)
        return self._file

    async def _write(self, file: tempfile.SpooledTemporaryFile[bytes]) -> None:
        unwritten, self._unwritten = self._unwritten, bytearray()
        await self._run_in_thread(_write_to_disk, file, self._in_memory, unwritten)

    def close(self) -> None:
        self._in_memory.close()
        if self._file is not None:
            # To close a file is to write what it has not written, which fails again where there is no room.
            with suppress(OSError):
                self._file.close()


def _write_to_disk(file: tempfile.SpooledTemporaryFile[bytes], in_memory: MemoryBody, unwritten: bytearray) -> None:
    file.rollover()
    if not in_memory.closed:
        with in_memory.getbuffer() as start:
            file.write(start)
        in_memory.close()
    file.write(unwritten)
    # Whatever is left for later would be written on the loop.
    file.flush()
