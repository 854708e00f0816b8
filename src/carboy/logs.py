"""Structured logs: JSON for machines, colours for people, and one line for each request."""

import logging
import logging.config
import re
import sys
import time
import uuid
from typing import Any

import structlog
from flask import Flask, Response, g, request

from carboy.settings import LoggingSettings

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
"""What is taken over from X-Request-ID; anything else could be made to look like a line of the log."""

TRACEBACKS = {"exception", "stack"}
"""Fields that have many lines."""

_log = structlog.stdlib.get_logger("carboy.request")


def configure_logging(settings: LoggingSettings) -> None:
    """Send all logging of this process, the libraries' too, to standard error in the configured format."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.PositionalArgumentsFormatter(),
    ]
    finish: list[structlog.typing.Processor] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
        if settings.format == "json"
        else [
            _escape,
            # The plain one, as the rich one prints local variables, among them secrets.
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
            ),
        ]
    )
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
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
                    "()": structlog.stdlib.ProcessorFormatter,
                    "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *finish],
                    "foreign_pre_chain": shared,
                }
            },
            "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "structured"}},
            "root": {"level": settings.level, "handlers": ["stderr"]},
            "loggers": {
                # It tells of each of its own plug-ins on every run.
                "alembic.runtime.plugins": {"level": "WARNING"},
                # When debugging it tells the values of every statement, among them what must not be logged.
                "aiosqlite": {"level": "INFO"},
            },
        }
    )


def _escape(_logger: object, _method: str, fields: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Keep what was logged from breaking out of its line, or from steering the terminal. JSON does so by itself."""
    return {
        _printable(name): _printable(value) if isinstance(value, str) and name not in TRACEBACKS else value
        for name, value in fields.items()
    }


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


def init_app(app: Flask) -> None:
    """Give each request an id, and log each answer."""
    app.before_request(_begin)
    app.after_request(_end)
    app.teardown_request(_forget)


def _begin() -> None:
    g.started = time.perf_counter()
    given = request.headers.get("X-Request-ID", "")
    g.request_id = given if REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=g.request_id)


def _end(response: Response) -> Response:
    response.headers["X-Request-ID"] = g.request_id
    # The route, not the path: that has the values in it, and the query string may hold what must not be logged.
    fields: dict[str, Any] = {
        "method": request.method,
        "route": request.url_rule.rule if request.url_rule is not None else None,
        "status": response.status_code,
        "duration_ms": round((time.perf_counter() - g.started) * 1000, 2),
        "client": request.remote_addr,
    }
    _log.info("request", **fields)
    return response


def _forget(_error: BaseException | None) -> None:
    # Under a server each request has a context of its own, but in the test client it has the caller's.
    structlog.contextvars.unbind_contextvars("request_id")
