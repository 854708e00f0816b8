"""Traces: a tree of spans for each request and job, that a collector is sent by OTLP.

Nothing is traced, nor is anything of OpenTelemetry imported, unless `tracing.endpoint` is set. What is to have a span
of its own says so::

    with span("price the basket", items=len(basket)):
        ...
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Literal, Protocol

from asgiref.typing import ASGIReceiveCallable, ASGISendCallable, Scope
from flask import Flask, got_request_exception

from carboy.config.settings import Environment, TracingSettings
from carboy.db import Database, Engines
from carboy.web.application import current_request

if TYPE_CHECKING:
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider

    from carboy.telemetry.spans import Spans

Kind = Literal["internal", "server", "client", "producer", "consumer"]
Value = str | int | float | bool
App = Callable[[Scope, ASGIReceiveCallable, ASGISendCallable], Coroutine[Any, Any, None]]

PROBES = "/health/"
"""Requests that are not traced: an orchestrator makes them every few seconds."""

_current: ContextVar["Spans | None"] = ContextVar("carboy_spans", default=None)
"""What makes the spans of a trace that is kept."""
_trace: ContextVar["Spans | None"] = ContextVar("carboy_trace", default=None)
"""What knows the ids of the trace, whether it is kept or not."""


class Span(Protocol):
    """What may be told of a span while it lasts."""

    def set_attribute(self, key: str, value: Value) -> None:
        """Tell something of what is being done."""


class _NoSpan:
    def set_attribute(self, key: str, value: Value) -> None:
        """Do nothing: this is no part of a trace."""


_NO_SPAN = _NoSpan()


def current_spans() -> "Spans | None":
    """Return what makes spans of what is being done; None if that is no part of a trace, or of one that is not kept."""
    return _current.get()


def trace_headers() -> dict[str, str] | None:
    """Return ``traceparent`` and ``tracestate`` for those who are called now; None if this is no part of a trace."""
    spans = _trace.get()
    return None if spans is None else spans.headers()


def span(name: str, kind: Kind = "internal", **attributes: Value) -> AbstractContextManager[Span]:
    """Make a span of what is done within, if it is part of a trace that is kept. It fails with what is raised within.

    Args:
        name: What is done, without values: there must be few names.
        kind: What it is to others.
        **attributes: What else is worth knowing; nothing secret.
    """
    spans = _current.get()
    return nullcontext(_NO_SPAN) if spans is None else spans.span(name, kind, attributes)


def note_failure(error: BaseException) -> None:
    """Note at the current span what it has failed with; for an error that is not raised within it."""
    spans = _current.get()
    if spans is not None:
        spans.fail(error)


class Tracing:
    """Begins traces, and goes on with those that come with requests and jobs.

    Args:
        settings: Where spans go.
        environment: What they are marked with.
        engines: Whose statements have spans.
        database: Whose units of work have.
        exporter: Takes the spans in place of the collector, in tests.

    Attributes:
        is_on: Whether there is somewhere to send spans to.
    """

    def __init__(
        self,
        settings: TracingSettings,
        environment: Environment,
        engines: Engines,
        database: Database,
        exporter: Any = None,
    ) -> None:
        self._settings, self._environment, self._exporter = settings, environment, exporter
        self._engines, self._database = engines, database
        self.is_on = settings.endpoint is not None
        self._spans: Spans | None = None
        self._is_watching = False

    def open(self) -> None:
        """Begin to trace, if there is somewhere to send it to."""
        if not self.is_on:
            return
        # It takes 200 ms, and the extra may not be installed where nothing is traced.
        from carboy.telemetry import database_spans, spans  # noqa: PLC0415

        self._spans = spans.Spans(self._settings, self._environment, self._exporter)
        if not self._is_watching:
            self._is_watching = True
            database_spans.watch(self._engines, self._database)

    async def close(self) -> None:
        """Trace no more, and send what has not been sent."""
        spans, self._spans = self._spans, None
        if spans is not None:
            await asyncio.to_thread(spans.close)

    @property
    def provider(self) -> "TracerProvider":
        """OpenTelemetry's provider, for instrumentations of other libraries.

        Raises:
            RuntimeError: Nothing is traced, or not yet.
        """
        if self._spans is None:
            raise RuntimeError("Nothing is traced: tracing.endpoint is not set, or the container is not open.")
        return self._spans.provider

    def init_app(self, app: Flask) -> None:
        """Name the spans of an application's requests by their routes; its hook must be the first."""
        if self.is_on:
            app.before_request(_name_request)
            got_request_exception.connect(_note_request_failure, app)

    async def serve(self, asgi: App, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        """Let an ASGI application serve a connection, and trace that if it is a request."""
        if self._spans is None or scope["type"] != "http" or _is_probe(scope):
            await asgi(scope, receive, send)
            return
        spans = self._spans
        span = spans.begin_request(scope)
        with self._within(spans, span):
            await asgi(scope, receive, spans.watch(span, send) if span.is_recording() else send)

    @contextmanager
    def job(self, name: str, context: Mapping[str, str], **attributes: Value) -> Iterator[Span]:
        """Make a span of a job that is run within, in the trace that it was enqueued in.

        Args:
            name: What kind of job.
            context: What was noted when it was enqueued.
            **attributes: What else is worth knowing.
        """
        if self._spans is None:
            yield _NO_SPAN
            return
        span = self._spans.begin(name, "consumer", context, attributes)
        with self._within(self._spans, span):
            yield span

    @contextmanager
    def _within(self, spans: "Spans", span: "trace.Span") -> Iterator[None]:
        """Begin a trace here with a span; where that is not kept, nothing within makes another."""
        tokens = _trace.set(spans), _current.set(spans if span.is_recording() else None)
        try:
            with spans.within(span):
                yield
        finally:
            _trace.reset(tokens[0])
            _current.reset(tokens[1])


def _is_probe(scope: Any) -> bool:
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", "")).startswith(PROBES)


def _name_request() -> None:
    spans = _current.get()
    if spans is None:
        return
    request = current_request()
    # What asks the application by its test client, within a request, is not that request.
    if "asgi.scope" in request.environ:
        rule = request.url_rule
        spans.name_request(request.method, None if rule is None else rule.rule, getattr(request, "id", ""))


def _note_request_failure(_app: Flask, exception: BaseException, **_more: Any) -> None:
    if "asgi.scope" in current_request().environ:
        note_failure(exception)
