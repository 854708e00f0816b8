"""Structured logs: JSON for machines, colours for people, and one line for each request."""

import logging
import logging.config
import os
import sys
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from json import JSONEncoder
from json.encoder import encode_basestring_ascii as _quote

import structlog
from flask import Flask, Response, has_request_context
from structlog.contextvars import get_contextvars

from carboy.config.settings import LoggingSettings
from carboy.telemetry.stderr import Stderr
from carboy.web.application import Request, current_request

TRACEBACKS = {"exception", "stack"}
"""Fields that have many lines."""

OWN = {"method", "route", "status", "duration_ms", "client", "event", "request_id", "level", "logger", "timestamp"}
"""The fields of a request's line, of which a variable that is bound to the context replaces none."""

_log = logging.getLogger("carboy.request")
_encode = JSONEncoder(default=repr).encode


def configure_logging(settings: LoggingSettings) -> None:
    """Send all logging of this process, the libraries' too, to standard error in the configured format."""
    complete: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        _add_request,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.PositionalArgumentsFormatter(),
    ]
    render: list[structlog.typing.Processor] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
        if settings.format == "json"
        else [
            _escape,
            # The plain one, as the rich one prints local variables, among them secrets.
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr is not None and sys.stderr.isatty(),
                exception_formatter=structlog.dev.plain_traceback,
            ),
        ]
    )
    structlog.configure(
        # All else is done by the handler, where a mistake in a line is not an error of the code that logs it.
        processors=[structlog.stdlib.filter_by_level, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {
                "structured": {
                    "()": _JsonFormatter if settings.format == "json" else structlog.stdlib.ProcessorFormatter,
                    "processors": [*complete, structlog.stdlib.ProcessorFormatter.remove_processors_meta, *render],
                }
            },
            "handlers": {"stderr": {"()": Stderr, "formatter": "structured"}},
            "root": {"level": settings.level, "handlers": ["stderr"]},
            "loggers": {
                # It logs each of its plug-ins on every run.
                "alembic.runtime.plugins": {"level": "WARNING"},
                # At DEBUG it logs the values of every statement, secrets included.
                "aiosqlite": {"level": "INFO"},
                # At INFO they log the whole URL of every call, at DEBUG its headers.
                "httpx2": {"level": "WARNING"},
                "httpcore2": {"level": "INFO"},
            },
        }
    )
    logging.captureWarnings(capture=True)


class _JsonFormatter(structlog.stdlib.ProcessorFormatter):
    """Formats a request's line in a fifth of the time that the structlog processors take, with the same result."""

    def format(self, record: logging.LogRecord) -> str:
        told = getattr(record, "request", None)
        if told is None:
            return super().format(record)
        line = (
            f'{{"method": {_quote(told["method"])}, "route": {_quote(told["route"]) if told["route"] else "null"}, '
            f'"status": {told["status"]}, "duration_ms": {told["duration_ms"]}, "client": {_quote(told["client"])}, '
            f'"event": {_quote(record.getMessage())}, "request_id": "{told["request_id"]}", '
            f'"level": "{record.levelname.lower()}", "logger": "{record.name}", '
            f'"timestamp": "{_moment(record.created)}"'
        )
        bound = {name: value for name, value in get_contextvars().items() if name not in OWN}
        return f"{line}, {_encode(bound)[1:]}" if bound else f"{line}}}"


def _moment(seconds: float) -> str:
    """Spell a moment as `isoformat` does, in a third of the time."""
    return f"{_second(int(seconds))}.{int(seconds % 1 * 1e6):06d}Z"


@lru_cache(maxsize=2)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def flush() -> None:
    """Wait until what was logged so far is written, for a moment at most."""
    for handler in logging.root.handlers:
        handler.flush()


def _add_request(_logger: object, _method: str, fields: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Add the request's id to a line, and to the line of a request's end its figures."""
    # A Flask application of another kind may log in this process too.
    if has_request_context() and (request_id := getattr(current_request(), "id", None)):
        fields["request_id"] = request_id
    fields.update(getattr(fields.get("_record"), "request", {}))
    return fields


def _escape(_logger: object, _method: str, fields: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Keep what was logged from breaking out of its line, or from steering the terminal. JSON does so by itself."""
    return {
        _printable(name): _printable(value) if isinstance(value, str) and name not in TRACEBACKS else value
        for name, value in fields.items()
    }


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


def init_app(app: Flask) -> None:
    """Log each request at its end."""
    app.after_request(_end)


def _end(response: Response) -> Response:
    if _log.isEnabledFor(logging.INFO):
        _log_request(current_request(), response.status_code)
    return response


def _log_request(request: Request, status: int) -> None:
    # The route, not the path: that has the values in it, and the query string may hold what must not be logged.
    route = request.url_rule.rule if request.url_rule is not None else None
    duration = round((time.perf_counter() - request.started) * 1000, 2)
    fields = {
        "method": request.method,
        "route": route,
        "status": status,
        "duration_ms": duration,
        "client": request.remote_addr or "",
        "request_id": request.id,
    }
    if logging.getLogRecordFactory() is logging.LogRecord:
        record = _sample.copy(fields)
    else:
        record = _log.makeRecord(_log.name, logging.INFO, __file__, 0, "request", (), None, extra={"request": fields})
    _log.handle(record)


class _Sample(threading.local):
    """What the records of all requests that end in one thread have in common.

    To find out anew where a record is made, and in which thread and process, takes longer than all else about a line.
    """

    def __init__(self) -> None:
        self.take()

    def take(self) -> None:
        self.record = logging.LogRecord(_log.name, logging.INFO, __file__, 0, "request", (), None)
        # Of a server's tasks it is a number.
        self.record.__dict__["taskName"] = None

    def copy(self, fields: Mapping[str, object]) -> logging.LogRecord:
        """Make the record of a request's end."""
        if self.record.process != os.getpid():
            # The sample was taken before a fork.
            self.take()
        now, sample = time.time(), self.record
        since_start = sample.relativeCreated + (now - sample.created) * 1000
        record = logging.LogRecord.__new__(logging.LogRecord)
        record.__dict__.update(
            sample.__dict__, request=fields, created=now, msecs=now % 1 * 1000 // 1, relativeCreated=since_start
        )
        return record


_sample = _Sample()
