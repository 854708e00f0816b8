"""Makes spans with OpenTelemetry, whose conventions name them. It is imported where something is traced."""

import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

from asgiref.typing import ASGISendCallable, ASGISendEvent, HTTPScope
from opentelemetry import trace
from opentelemetry.context import Context, attach, detach
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from structlog.contextvars import bound_contextvars

from carboy.config.settings import Environment, TracingSettings
from carboy.errors import CarboyError
from carboy.telemetry.request_metrics import METHODS, OTHER
from carboy.telemetry.tracing import Kind, Value

KINDS = {kind.name.lower(): kind for kind in SpanKind}
HOST = re.compile(r"(?P<name>\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]{1,255})(?::(?P<port>[0-9]{1,5}))?")
TRACE_HEADERS = {b"traceparent", b"tracestate"}

CLOSE_SECONDS = 3.0
"""How long the end of the application waits for a collector to take the last spans."""

_propagator = TraceContextTextMapPropagator()


class Spans:
    """Makes spans, and has a thread send them. The provider is ours alone: others of the process are left as they are.

    Args:
        settings: Where they go.
        environment: What they are marked with.
        exporter: Takes them in place of the collector.
    """

    def __init__(self, settings: TracingSettings, environment: Environment, exporter: Any = None) -> None:
        resource = {"service.name": settings.service, "deployment.environment.name": environment.value}
        self.provider = TracerProvider(
            sampler=ParentBased(TraceIdRatioBased(settings.sample_ratio)),
            resource=Resource.create(resource),
            # The container closes it.
            shutdown_on_exit=False,
        )
        exporter = exporter or OTLPSpanExporter(endpoint=f"{settings.endpoint}/v1/traces")
        self.provider.add_span_processor(BatchSpanProcessor(exporter))
        self.tracer = self.provider.get_tracer("carboy")

    def close(self) -> None:
        """Send what has not been sent, and wait for that for a moment at most."""
        # A daemon: with a collector that does not answer it takes ten seconds, and the process need not wait.
        sending = threading.Thread(target=self.provider.shutdown, name="spans", daemon=True)
        sending.start()
        sending.join(CLOSE_SECONDS)

    def begin(
        self, name: str, kind: Kind, parent: Mapping[str, str], attributes: Mapping[str, Value] | None = None
    ) -> trace.Span:
        """Begin the first span of a trace here.

        Whether the trace is kept is decided now; if not, the span has ids alone, and `is_recording` is false.

        Args:
            name: What is done.
            kind: What it is to others.
            parent: Headers that tell of its parent, or that it has none.
            attributes: What is known of it.
        """
        return self.tracer.start_span(name, _propagator.extract(parent, Context()), KINDS[kind], attributes)

    def begin_request(self, scope: HTTPScope) -> trace.Span:
        """Begin the span of a request, in the trace that comes with it."""
        headers = {name.decode(): value.decode("latin-1") for name, value in scope["headers"] if name in TRACE_HEADERS}
        method = scope["method"] if scope["method"] in METHODS else OTHER
        span = self.begin(method if method != OTHER else "HTTP", "server", headers)
        if span.is_recording():
            span.set_attributes(_attributes(scope, method))
        return span

    @contextmanager
    def span(self, name: str, kind: Kind, attributes: Mapping[str, Value]) -> Iterator[trace.Span]:
        """Make a span of what is done within.

        Args:
            name: What is done.
            kind: What it is to others.
            attributes: What is known of it.
        """
        span = self.tracer.start_span(name, None, KINDS[kind], attributes)
        with self.within(span):
            yield span

    @contextmanager
    def within(self, span: trace.Span) -> Iterator[None]:
        """Have a span be the current one, also of the log; it ends, and fails, with what is done within."""
        ids = span.get_span_context()
        token = attach(trace.set_span_in_context(span))
        try:
            with bound_contextvars(
                trace_id=trace.format_trace_id(ids.trace_id), span_id=trace.format_span_id(ids.span_id)
            ):
                yield
        except BaseException as error:
            fail(span, error)
            raise
        finally:
            detach(token)
            span.end()

    def watch(self, span: trace.Span, send: ASGISendCallable) -> ASGISendCallable:
        """Note the status of an answer at its span; one of 5xx is a failure of ours, one of 4xx the client's."""

        async def watched(message: ASGISendEvent) -> None:
            if message["type"] == "http.response.start":
                status = message["status"]
                span.set_attribute("http.response.status_code", status)
                if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                    span.set_status(Status(StatusCode.ERROR))
                    if "error.type" not in (getattr(span, "attributes", None) or {}):
                        span.set_attribute("error.type", str(status))
            await send(message)

        return watched

    def name_request(self, method: str, route: str | None, request_id: str) -> None:
        """Name the current span, which is a request's, by its route: a path has values in it."""
        span = trace.get_current_span()
        span.set_attribute("carboy.request_id", request_id)
        if route is not None:
            span.set_attribute("http.route", route)
            span.update_name(f"{method if method in METHODS else 'HTTP'} {route}")

    def fail(self, error: BaseException) -> None:
        """Note what the current span has failed with."""
        fail(trace.get_current_span(), error)

    def headers(self) -> dict[str, str]:
        """Return ``traceparent`` and ``tracestate`` of the current span, for those who are called in it."""
        headers: dict[str, str] = {}
        _propagator.inject(headers)
        return headers


def _attributes(scope: HTTPScope, method: str) -> dict[str, Value]:
    attributes: dict[str, Value] = {
        "http.request.method": method,
        "url.scheme": scope["scheme"],
        "network.protocol.version": scope["http_version"],
    }
    named = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"host"), "")
    host = HOST.fullmatch(named)
    if host is not None:
        attributes["server.address"] = host["name"]
        if host["port"] is not None:
            attributes["server.port"] = int(host["port"])
    return attributes


def fail(span: trace.Span, error: BaseException) -> None:
    """Note what a span has failed with: its kind alone, as its text may be personal. That is in the log.

    What a client is to blame for is no failure of ours, nor is a cancellation.
    """
    span.set_attribute("error.type", type(error).__qualname__)
    is_expected = isinstance(error, CarboyError) and error.status < HTTPStatus.INTERNAL_SERVER_ERROR
    if isinstance(error, Exception) and not is_expected:
        span.set_status(Status(StatusCode.ERROR))
