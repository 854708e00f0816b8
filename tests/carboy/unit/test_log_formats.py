"""What a line of the log looks like, for machines and for people."""

import json
import logging
from collections.abc import Callable, Iterator
from typing import Any, Literal

import pytest
import structlog

from carboy.config.settings import LoggingSettings
from carboy.telemetry.logs import configure_logging
from carboy.telemetry.stderr import Stderr

Format = Literal["json", "console"]
Written = Callable[[], str]
SECRET = "Zq7Secret"


@pytest.fixture(autouse=True)
def _logging_put_back() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level


@pytest.fixture
def configure(capsys: pytest.CaptureFixture[str]) -> Callable[..., Written]:
    def configure(log_format: Format, level: Any = "INFO") -> Written:
        configure_logging(LoggingSettings(level=level, format=log_format))
        [handler] = [handler for handler in logging.root.handlers if isinstance(handler, Stderr)]

        def written() -> str:
            handler.flush()
            return capsys.readouterr().err

        return written

    return configure


FORMATS: list[Format] = ["json", "console"]


@pytest.mark.parametrize("log_format", FORMATS)
@pytest.mark.parametrize(
    "odd", ["a\nFAKE line", "a\r\nFAKE line", "a\x1b[2Jb", "a\u2028b", "a\x85b", "a\x00b", "a\x9b2Jb"]
)
def test_an_odd_value_stays_within_its_line(configure: Callable[..., Written], log_format: Format, odd: str) -> None:
    written = configure(log_format)
    # The message, an argument of it, a value, and a name: from the standard library and from structlog.
    logging.getLogger("carboy.test").info("said %s", odd)
    logging.getLogger("carboy.test").info(odd)
    structlog.stdlib.get_logger("carboy.test").info("said", value=odd, **{odd: 1})
    structlog.stdlib.get_logger("carboy.test").info(odd, values=[odd])
    text = written()
    assert text.count("\n") == 4
    assert len(text.splitlines()) == 4
    assert all(character.isprintable() or character == "\n" for character in text)


@pytest.mark.parametrize("log_format", FORMATS)
def test_an_exception_shows_its_traceback_and_no_local_variables(
    configure: Callable[..., Written], log_format: Format
) -> None:
    written = configure(log_format)

    def fail(password: str) -> None:
        raise ArithmeticError("as if")

    for log in (logging.getLogger("carboy.test"), structlog.stdlib.get_logger("carboy.test")):
        try:
            fail("".join(reversed(SECRET)))
        except ArithmeticError:
            log.exception("it failed")
    text = written()
    assert text.count("Traceback (most recent call last):") == 2
    assert text.count("ArithmeticError: as if") == 2
    assert "".join(reversed(SECRET)) not in text
    if log_format == "json":
        assert [json.loads(line)["event"] for line in text.splitlines()] == ["it failed", "it failed"]


def test_what_json_does_not_know_is_written_all_the_same(configure: Callable[..., Written]) -> None:
    written = configure("json")
    structlog.stdlib.get_logger("carboy.test").info("said", values={1, 2}, raw=b"\xff", thing=object, nan=float("nan"))
    assert json.loads(written())["event"] == "said"


@pytest.mark.parametrize("log_format", FORMATS)
def test_only_the_configured_level_and_above_are_logged(configure: Callable[..., Written], log_format: Format) -> None:
    written = configure(log_format, "WARNING")
    for log in (logging.getLogger("carboy.test"), structlog.stdlib.get_logger("carboy.test")):
        log.info("quiet")
        log.warning("loud")
    text = written()
    assert text.count("loud") == 2
    assert "quiet" not in text


def test_both_kinds_of_loggers_write_the_same_fields(configure: Callable[..., Written]) -> None:
    written = configure("json")
    logging.getLogger("carboy.test").warning("said %s", 1)
    structlog.stdlib.get_logger("carboy.test").warning("said %s", 1)
    one, other = (json.loads(line) for line in written().splitlines())
    assert one.keys() == other.keys() == {"event", "level", "logger", "timestamp"}
    assert one | {"timestamp": 0} == other | {"timestamp": 0}


def test_neither_values_of_statements_nor_urls_of_calls_are_logged_even_when_debugging(
    configure: Callable[..., Written],
) -> None:
    written = configure("json", "DEBUG")
    logging.getLogger("aiosqlite").debug("executing %s", f"INSERT ... {SECRET}")
    logging.getLogger("httpx2").info("HTTP Request: GET %s", f"https://api.example/?key={SECRET}")
    logging.getLogger("httpcore2.http11").debug("send_request_headers.started %s", SECRET)
    logging.getLogger("carboy.test").debug("heard")
    assert [json.loads(line)["event"] for line in written().splitlines()] == ["heard"]


@pytest.mark.parametrize("log_format", FORMATS)
def test_a_mistake_in_a_log_call_is_reported_and_fails_no_request(
    configure: Callable[..., Written], log_format: Format
) -> None:
    class Unspeakable:
        def __repr__(self) -> str:
            raise ArithmeticError("as if")

    written = configure(log_format)
    logging.getLogger("carboy.test").info("said %d", "text")
    structlog.stdlib.get_logger("carboy.test").info("said %d", "text")
    structlog.stdlib.get_logger("carboy.test").info("said", value=Unspeakable())
    text = written()
    assert text.count("has an error: TypeError(") == 2
    assert text.count("has an error: ArithmeticError(") == 1
    assert text.count("test_log_formats.py") == 3, "Each tells the place of its line."
    assert "Traceback" not in text
