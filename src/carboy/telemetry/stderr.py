"""Writes log lines to standard error from a thread of its own, so that no line delays or fails what logs it.

Standard error may be a pipe whose reader has stopped or died, or a file on a full disk.
"""

import logging
import os
import stat
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext, suppress
from itertools import accumulate
from queue import SimpleQueue
from typing import TextIO

MAX_WAITING = 4 * 1024 * 1024
"""Bytes that may wait to be written, about 14,000 lines of requests. Lines that come then are dropped, and counted."""

GATHER_SECONDS = 0.01
"""How long lines are gathered before they are written. To wake the thread for each line would cost a request a tenth of
its time. A process that is killed loses the lines of this time."""

FLUSH_SECONDS = 2.0
"""How long the end of the process waits for its lines to be written."""

RETRY_SECONDS = 0.05
"""The pause before the next attempt where standard error is full and does not block."""

PIPE_BYTES = 4096
"""Bytes that a pipe takes in one piece (PIPE_BUF on Linux), so that processes which share it cut no line of each other.
Only a longer line may be cut."""

FILE_BYTES = 64 * 1024
"""Bytes to write to a regular file at once, which takes any number in one piece."""


class Stderr(logging.Handler):
    """A log handler whose lines a daemon thread writes to standard error.

    Lines that cannot be written, or come while `MAX_WAITING` bytes wait, are dropped. How many is told in a line of its
    own, before the next one that can be written.
    """

    def __init__(self) -> None:
        super().__init__()
        self._stream: TextIO | None = sys.stderr
        self._writer: _Writer | None = None

    def setStream(self, stream: TextIO | None) -> None:  # noqa: N802 - as logging.StreamHandler calls it.
        self._end()
        self._stream = stream

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with a line, the code that logs it goes on.
            line = self._own_line("The log line of %s:%d has an error: %r", record.pathname, record.lineno, error)
        self.write(f"{line}\n")

    def write(self, line: str) -> None:
        """Have a line, its end included, written soon."""
        writer = self._writer
        if writer is None or writer.process != os.getpid():
            writer = self._start()
        writer.put(line)

    def flush(self) -> None:
        """Wait until what was logged so far is written or dropped, but at most `FLUSH_SECONDS`."""
        if self._writer is not None and self._writer.process == os.getpid():
            self._writer.flush()

    def close(self) -> None:
        self._end()
        super().close()

    def _start(self) -> "_Writer":
        """Start writing: at the first line, and at the first after a fork, which takes no threads into the child."""
        with self.lock or nullcontext():
            writer = self._writer
            if writer is None or writer.process not in {None, os.getpid()}:
                writer = self._writer = _Writer(self._stream, self._tell)
            # There may be no thread to be had, at the end of the process for one. The next line asks again.
            with suppress(RuntimeError):
                writer.start()
            return writer

    def _end(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None and writer.process == os.getpid():
            writer.end()

    def _tell(self, dropped: int) -> str:
        return self._own_line("%d log lines were dropped", dropped)

    def _own_line(self, message: str, *args: object) -> str:
        return self.format(logging.LogRecord(__name__, logging.WARNING, __file__, 0, message, args, None))


class _Writer:
    """Writes lines to a stream, past its buffer: what stayed in there would make the process fail at its end.

    Attributes:
        process: The id of the process in which its thread runs; None until it does.
    """

    def __init__(self, stream: TextIO | None, tell: Callable[[int], str]) -> None:
        self.process: int | None = None
        self._write_some = _writing_to(stream)
        self._most_at_once = FILE_BYTES if _is_file(stream) else PIPE_BYTES
        self._encoding = getattr(stream, "encoding", None) or "utf-8"
        self._tell = tell
        self._lines: list[bytes] = []
        # Wakes the thread: there is a line, or one waits until what was logged so far is written.
        self._calls: SimpleQueue[threading.Event | None] = SimpleQueue()
        self._has_ended = False
        self._hurry = threading.Event()
        # It may be taken again by a signal handler or a finalizer that logs.
        self._lock = threading.RLock()
        self._waiting = 0
        self._dropped = 0
        self._is_cut = False

    def start(self) -> None:
        if self.process is None:
            threading.Thread(target=self._run, name="log", daemon=True).start()
            self.process = os.getpid()

    def put(self, line: str) -> None:
        data = line.encode(self._encoding, "backslashreplace")
        with self._lock:
            if self._waiting + len(data) > MAX_WAITING:
                self._dropped += 1
                return
            self._waiting += len(data)
            self._lines.append(data)
            is_first = len(self._lines) == 1
        if is_first:
            self._calls.put(None)

    def flush(self) -> None:
        done = threading.Event()
        self._calls.put(done)
        self._hurry.set()
        done.wait(FLUSH_SECONDS)

    def end(self) -> None:
        self._has_ended = True
        self._calls.put(None)
        self._hurry.set()

    def _run(self) -> None:
        has_ended = False
        while not has_ended:
            calls = [self._calls.get()]
            self._hurry.wait(GATHER_SECONDS)
            self._hurry.clear()
            while not self._calls.empty():
                calls.append(self._calls.get())
            has_ended = self._has_ended
            with self._lock:
                lines, self._lines = self._lines, []
            for group in _groups(lines, self._most_at_once):
                self._write_lines(group)
            for done in calls:
                if done is not None:
                    done.set()

    def _write_lines(self, lines: list[bytes]) -> None:
        dropped = self._dropped
        notice = [f"{self._tell(dropped)}\n".encode(self._encoding)] if dropped else []
        written = self._write([*notice, *lines])
        with self._lock:
            self._waiting -= sum(map(len, lines))
            self._dropped += len(lines) - max(written - len(notice), 0)
            if written:
                self._dropped -= dropped

    def _write(self, lines: list[bytes]) -> int:
        """Write lines and return how many of them are written whole."""
        # After half a line the next one must not seem to be its end.
        start = b"\n" if self._is_cut else b""
        data, done = start + b"".join(lines), 0
        # After any failure of the stream the next lines are tried again.
        with suppress(Exception):
            while done < len(data):
                try:
                    done += self._write_some(data[done:])
                except BlockingIOError:
                    time.sleep(RETRY_SECONDS)
        if done:
            self._is_cut = data[done - 1] != ord("\n")
        return sum(end <= done for end in accumulate(map(len, lines), initial=len(start))) - 1 if done else 0


def _groups(lines: Iterable[bytes], most: int) -> Iterator[list[bytes]]:
    """Put together lines that may be written at once: each write lets the event loop's thread wait for this one."""
    group: list[bytes] = []
    size = 0
    for line in lines:
        size += len(line)
        if group and size > most:
            yield group
            group, size = [], len(line)
        group.append(line)
    if group:
        yield group


def _is_file(stream: TextIO | None) -> bool:
    try:
        return stream is not None and stat.S_ISREG(os.fstat(stream.fileno()).st_mode)
    except (OSError, ValueError):
        return False


def _writing_to(stream: TextIO | None) -> Callable[[bytes], int]:
    """Return what writes bytes to a stream and tells how many it has written."""
    if stream is None:
        # Descriptor 2 was closed when Python started. The file that has this number now is another one.
        return len
    try:
        stream.fileno()
    except (OSError, ValueError):
        return lambda data: _write_text(stream, data)
    # Asked for each time: once the stream is closed, another file may get its number.
    return lambda data: os.write(stream.fileno(), data)


def _write_text(stream: TextIO, data: bytes) -> int:
    stream.write(data.decode(stream.encoding or "utf-8"))
    stream.flush()
    return len(data)
