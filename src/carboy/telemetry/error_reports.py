"""Reports errors to Sentry: what the log tells at level ERROR, with the id of the request or job that it belongs to.

Sentry's SDK is used as a client alone. What it would add by itself patches Flask, logging and threads for good, and
takes along what is nobody else's business.
"""

import asyncio
import logging
import sys
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from flask import Flask, has_request_context
from structlog.contextvars import get_contextvars

from carboy.config.settings import Environment, SentrySettings
from carboy.web.application import Request, current_request

if TYPE_CHECKING:
    from sentry_sdk import Client

TAGS = ("request_id", "job", "job_id", "attempt")
"""What is bound to the log's context and becomes a tag; what else is there may be personal."""
OTHERS = ("sentry_sdk", "urllib3", "opentelemetry")
"""Whose lines are not reported: they may tell that reports do not arrive."""
CLOSE_SECONDS = 2.0
"""How long the end of the application waits for reports to be sent."""

_served: ContextVar[Request | None] = ContextVar("carboy_reported_request", default=None)


class ErrorReports:
    """Reports errors while it is open, if there is somewhere to.

    Args:
        settings: Where to.
        environment: What reports are marked with.
        transport: Takes the reports in place of the network, in tests.
    """

    def __init__(self, settings: SentrySettings, environment: Environment, transport: Any = None) -> None:
        self._settings, self._environment, self._transport = settings, environment, transport
        self._handler: _Handler | None = None

    def init_app(self, app: Flask) -> None:
        """Note requests for reports of streams that fail: the server logs these once Flask is done with them."""
        if self._settings.dsn is not None:
            app.before_request(_note_request)

    def open(self) -> None:
        if self._settings.dsn is None or self._handler is not None:
            return
        # The extra may not be installed where nothing is reported.
        from sentry_sdk import Client  # noqa: PLC0415

        client = Client(
            self._settings.dsn.get_secret_value(),
            environment=self._environment.value,
            # None would have it ask git.
            release=self._settings.release or "",
            transport=self._transport,
            default_integrations=False,
            auto_enabling_integrations=False,
            # Among local variables are secrets.
            include_local_variables=False,
            auto_session_tracking=False,
            max_breadcrumbs=0,
        )
        self._handler = _Handler(client)
        logging.getLogger().addHandler(self._handler)

    async def close(self) -> None:
        """Report no more, and send what has not been sent."""
        handler, self._handler = self._handler, None
        if handler is not None:
            logging.getLogger().removeHandler(handler)
            await asyncio.to_thread(handler.client.close, timeout=CLOSE_SECONDS)


class _Handler(logging.Handler):
    """Makes a report of a line of the log, in the context of what has logged it."""

    def __init__(self, client: "Client") -> None:
        super().__init__(logging.ERROR)
        self.client = client

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.partition(".")[0] in OTHERS:
            return
        try:
            self.client.capture_event(*self._event(record))
        except Exception:  # noqa: BLE001 - the code that logs goes on, whatever is wrong with the report.
            self.handleError(record)

    def _event(self, record: logging.LogRecord) -> tuple[Any, Any]:
        from sentry_sdk.utils import event_from_exception  # noqa: PLC0415 - see `open`.

        said, failure = _of(record)
        event: Any = {"message": said}
        hint: Any = {}
        if failure is not None:
            event, hint = event_from_exception(failure, client_options=self.client.options)
        event |= {"level": record.levelname.lower(), "logger": record.name, "tags": _tags()}
        bound = get_contextvars()
        if "trace_id" in bound:
            event["contexts"] = {"trace": {"trace_id": bound["trace_id"], "span_id": bound["span_id"]}}
        if (doing := _doing()) is not None:
            event["transaction"] = doing
        return event, hint


def _of(record: logging.LogRecord) -> tuple[str, Any]:
    """Return what a record says, without values, and the exception that it tells of, if any."""
    said: Any = record.msg
    failure: Any = record.exc_info
    if isinstance(said, dict):
        # A line of structlog's.
        failure, said = failure or said.get("exc_info"), said.get("event")
    if failure is True:
        failure = sys.exc_info()
    if isinstance(failure, tuple):
        failure = failure[1]
    return str(said), failure if isinstance(failure, BaseException) else None


def _tags() -> dict[str, str]:
    bound = get_contextvars()
    tags = {name: str(bound[name]) for name in TAGS if bound.get(name) is not None}
    if request_id := getattr(_request(), "id", None):
        tags["request_id"] = request_id
    return tags


def _doing() -> str | None:
    """Return the route of the current request, or the kind of the current job."""
    request = _request()
    if request is not None:
        return None if request.url_rule is None else f"{request.method} {request.url_rule.rule}"
    job = get_contextvars().get("job")
    return None if job is None else f"job {job}"


def _note_request() -> None:
    _served.set(current_request())


def _request() -> Request | None:
    return current_request() if has_request_context() else _served.get()
