"""The log's way to standard error: nothing there delays or fails what logs, and what is lost is counted."""

import json
import logging
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from carboy.config.settings import LoggingSettings
from carboy.telemetry import stderr
from carboy.telemetry.logs import configure_logging
from carboy.telemetry.stderr import Stderr

CONFIGURE = """
import logging
import os
from carboy.telemetry.logs import configure_logging
from carboy.config.settings import LoggingSettings

configure_logging(LoggingSettings(level="INFO", format="json"))
log = logging.getLogger("carboy.test")
"""


@pytest.fixture(autouse=True)
def _logging_put_back() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level


@pytest.fixture
def handler() -> Iterator[Stderr]:
    configure_logging(LoggingSettings(level="INFO", format="json"))
    [handler] = [handler for handler in logging.root.handlers if isinstance(handler, Stderr)]
    yield handler
    handler.close()


@pytest.fixture
def pipe(handler: Stderr) -> Iterator[tuple[int, Any]]:
    """Let the handler write into a pipe, and return both of its ends."""
    reader, writer = os.pipe()
    with os.fdopen(writer, "w") as stream:
        handler.setStream(stream)
        yield reader, stream
    os.close(reader)


def events(text: bytes) -> list[str]:
    return [json.loads(line)["event"] for line in text.splitlines()]


def read_until(reader: int, end: Callable[[bytes], bool]) -> bytes:
    read = b""
    while not end(read):
        read += os.read(reader, 65536)
    return read


def test_lines_that_find_no_room_are_dropped_and_counted(
    handler: Stderr, pipe: tuple[int, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stderr, "MAX_WAITING", 100_000)
    reader, _ = pipe
    for number in range(3000):
        handler.write(json.dumps({"event": f"line {number}", "fill": "x" * 100}) + "\n")
    # A pipe takes 64 KiB, and nobody has read until now.
    reading = ThreadPoolExecutor(1).submit(
        read_until, reader, lambda read: b"heard again" in read and read.endswith(b"\n")
    )
    tried = 0
    while not reading.done():
        logging.getLogger("carboy.test").warning("heard again")
        tried += 1
        handler.flush()
    read = events(reading.result())
    lines = [event for event in read if event.startswith("line")]
    notices = [match for event in read if (match := re.fullmatch(r"(\d+) log lines were dropped", event))]
    kept = [int(line.removeprefix("line ")) for line in lines]
    # The thread may have taken some to write while others came.
    assert kept == sorted(set(kept))
    assert kept[:600] == list(range(600)), "Nothing is dropped before there is no room."
    assert len(lines) < 2000
    assert 3000 <= sum(int(notice[1]) for notice in notices) + len(lines) < 3000 + tried
    assert read[-1] == "heard again"


def test_lines_that_cannot_be_written_are_counted_until_one_can(handler: Stderr) -> None:
    log = logging.getLogger("carboy.test")
    with open("/dev/full", "w") as full:  # noqa: PTH123 - as a file of the process is opened.
        handler.setStream(full)
        for _ in range(5):
            log.warning("lost")
        handler.flush()
        # The disk has room again: the same descriptor leads to another file now.
        reader, writer = os.pipe()
        os.dup2(writer, full.fileno())
        os.close(writer)
        log.warning("found")
        log.warning("found")
        handler.flush()
    assert events(os.read(reader, 65536)) == ["5 log lines were dropped", "found", "found"]
    os.close(reader)


def test_after_half_a_line_the_next_one_begins_a_new_line(handler: Stderr, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[bytes] = []

    def write(_descriptor: int, data: bytes) -> int:
        if len(written) == 1:
            written.append(b"")
            raise OSError("No space left on device")
        written.append(data if written else data[:10])
        return len(written[-1])

    with open("/dev/null", "w") as stream:  # noqa: PTH123 - likewise.
        handler.setStream(stream)
        monkeypatch.setattr(os, "write", write)
        for event in ("one", "two"):
            handler.write(f"{event * 10}\n")
            handler.flush()
        monkeypatch.undo()
    half, notice, line = b"".join(written).splitlines()
    assert (half, line) == (b"oneoneoneo", b"two" * 10)
    assert events(notice) == ["1 log lines were dropped"]


def test_a_line_is_dropped_when_its_pipe_has_no_reader(handler: Stderr, pipe: tuple[int, Any]) -> None:
    reader, stream = pipe
    other, writer = os.pipe()
    # The reader goes, and comes again.
    os.dup2(other, reader)
    logging.getLogger("carboy.test").warning("lost")
    handler.flush()
    os.dup2(writer, stream.fileno())
    os.close(writer)
    logging.getLogger("carboy.test").warning("found")
    handler.flush()
    assert events(os.read(other, 65536)) == ["1 log lines were dropped", "found"]
    os.close(other)


def test_a_pipe_that_does_not_block_is_waited_for(handler: Stderr, pipe: tuple[int, Any]) -> None:
    reader, stream = pipe
    os.set_blocking(stream.fileno(), False)
    for number in range(300):
        handler.write(json.dumps({"event": f"line {number}", "fill": "x" * 1000}) + "\n")
    read = read_until(reader, lambda read: read.count(b"\n") == 300)
    assert events(read) == [f"line {number}" for number in range(300)]


def test_processes_that_share_a_pipe_do_not_cut_each_others_lines(handler: Stderr, pipe: tuple[int, Any]) -> None:
    reader, stream = pipe
    another = Stderr()
    another.setStream(stream)

    def write(to: Stderr, name: str) -> None:
        for number in range(2000):
            to.write(json.dumps({"event": f"{name} {number}", "fill": "x" * (number % 500)}) + "\n")

    threads = [threading.Thread(target=write, args=pair) for pair in ((handler, "one"), (another, "other"))]
    for thread in threads:
        thread.start()
    read = events(read_until(reader, lambda read: read.count(b"\n") == 4000))
    another.close()
    for name in ("one", "other"):
        assert [event for event in read if event.startswith(name)] == [f"{name} {number}" for number in range(2000)]


def run(code: str, **options: Any) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(  # noqa: S603 - the tests themselves say what to run.
        [sys.executable, "-c", CONFIGURE + code], capture_output=True, text=True, timeout=20, check=False, **options
    )


def test_the_last_lines_are_written_before_the_process_ends() -> None:
    done = run("for number in range(1000): log.info('line %d', number)")
    assert (done.returncode, events(done.stderr.encode())[-1]) == (0, "line 999")
    assert done.stderr.count("\n") == 1000


def test_a_warning_is_a_line_like_any_other() -> None:
    done = run("import warnings; warnings.warn('old')")
    line = json.loads(done.stderr)
    assert (line["logger"], line["level"]) == ("py.warnings", "warning")
    assert "UserWarning: old" in line["event"]


def test_a_child_of_the_process_logs_and_writes_no_line_of_its_parent_again() -> None:
    done = run(
        # From Python 3.12 on, a fork beside other threads is warned of, which is logged.
        "import warnings; warnings.simplefilter('ignore', DeprecationWarning)\n"
        "log.info('before')\n"
        "child = os.fork()\n"
        "log.info('in the parent' if child else 'in the child')\n"
        "if child: os.waitpid(child, 0)\n"
    )
    assert sorted(events(done.stderr.encode())) == ["before", "in the child", "in the parent"]


@pytest.mark.parametrize("redirection", ["2>&-", "2>/dev/full"])
def test_without_a_standard_error_a_process_ends_well(redirection: str) -> None:
    code = 'log.info("said"); log.info("said %d", "text"); print("done")'
    command = ["sh", "-c", f'exec "$0" -c "$1" {redirection}', sys.executable, CONFIGURE + code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)  # noqa: S603 - likewise.
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")


def test_a_file_that_reuses_the_descriptor_of_standard_error_is_not_written_to(tmp_path: Any) -> None:
    file = tmp_path / "database"
    code = f'file = os.open("{file}", os.O_RDWR | os.O_CREAT); assert file == 2; log.info("said")'
    command = ["sh", "-c", 'exec "$0" -c "$1" 2>&-', sys.executable, CONFIGURE + code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)  # noqa: S603 - likewise.
    assert done.returncode == 0
    assert file.read_bytes() == b""


def test_a_process_ends_though_nobody_reads_what_it_logs() -> None:
    reader, writer = os.pipe()
    code = "for number in range(3000): log.info('line %d', number)"
    try:
        process = subprocess.Popen([sys.executable, "-c", CONFIGURE + code], stderr=writer)  # noqa: S603 - likewise.
        assert process.wait(20) == 0
    finally:
        os.close(reader)
        os.close(writer)
