"""A trace has a span for each thing that a request and its jobs do, however many requests there are at once."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import httpx
import pytest
from flask import Flask
from opentelemetry import trace
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan, Tracer
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from structlog.contextvars import get_contextvars
from support.asgi import ask
from support.log_lines import *  # noqa: F403 - pytest finds fixtures among the names of a module.
from support.log_lines import Lines
from support.mails import *  # noqa: F403 - likewise.
from support.traced import TracedContainer, api, called, edges, meeting, parts, plain, tracing_to

from app import create_app
from carboy.bridge import FlaskASGI
from carboy.config.settings import Settings
from carboy.di.wiring import unwire
from carboy.mail.templating import MailTemplates
from carboy.server import create_asgi
from carboy.telemetry.tracing import current_spans, trace_headers
from carboy.testing import MemoryDatabase, client_of, drain, override
from containers import Container

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE}-{PARENT}-01"
Spans = tuple[ReadableSpan, ...]


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def container(
    settings: Settings, database: MemoryDatabase, exporter: InMemorySpanExporter
) -> Iterator[TracedContainer]:
    container = TracedContainer()
    with override(container, settings=settings, **parts(database, exporter)):
        yield container


@pytest.fixture
def app(app: Flask) -> Flask:
    app.register_blueprint(api)
    app.register_blueprint(plain)
    return app


@asynccontextmanager
async def served(container: TracedContainer, app: Flask) -> AsyncIterator[httpx.AsyncClient]:
    """Serve within; after it all spans have been sent."""
    called.clear()
    async with client_of(create_asgi(container, app)) as client:
        yield client


def named(spans: Spans, name: str) -> ReadableSpan:
    [span] = [span for span in spans if span.name == name]
    return span


async def test_a_request_and_its_job_are_one_trace(
    container: TracedContainer, app: Flask, exporter: InMemorySpanExporter
) -> None:
    async with served(container, app) as client:
        headers = {"traceparent": TRACEPARENT, "tracestate": "a=1", "X-Request-ID": "mine-1"}
        assert (await client.get("/traced/order/7?secret=1", headers=headers)).status_code == 200
        assert await drain(container) == 1
    spans = exporter.get_finished_spans()
    request = "GET /traced/order/<int:number>"
    assert edges(spans) == [
        ("COMMIT", "Shop.order"),
        (request, "remote"),
        ("GET api.example", request),
        ("GET api.example", "run traced.remind"),
        ("INSERT background_jobs", "Jobs._add"),
        ("Jobs._add", "enqueue traced.remind"),
        ("Shop.order", request),
        ("enqueue traced.remind", "Shop.order"),
        ("run traced.remind", "enqueue traced.remind"),
    ]
    assert {f"{span.context.trace_id:032x}" for span in spans if span.context} == {TRACE}
    top = named(spans, request)
    assert top.parent is not None
    assert (f"{top.parent.span_id:016x}", top.kind) == (PARENT, SpanKind.SERVER)
    assert dict(top.attributes or {}) == {
        "http.request.method": "GET",
        "http.route": "/traced/order/<int:number>",
        "http.response.status_code": 200,
        "url.scheme": "http",
        "network.protocol.version": "1.1",
        "server.address": "testserver",
        "carboy.request_id": "mine-1",
    }
    assert named(spans, "INSERT background_jobs").attributes == {
        "db.system.name": "sqlite",
        "db.operation.name": "INSERT",
        "db.query.summary": "INSERT background_jobs",
        "db.query.text": named(spans, "INSERT background_jobs").attributes["db.query.text"],  # type: ignore[index]
    }
    # Each call names its own span to the server that is called.
    calls = [span for span in spans if span.name == "GET api.example"]
    assert called == [f"00-{TRACE}-{span.context.span_id:016x}-01" for span in calls if span.context]


async def test_a_mail_is_a_part_of_the_trace_without_its_recipient(
    container: TracedContainer, app: Flask, exporter: InMemorySpanExporter, mail_templates: MailTemplates
) -> None:
    with override(container, mail_templates=mail_templates):
        async with served(container, app) as client:
            assert (await client.get("/traced/mail")).status_code == 200
            assert await drain(container) == 1
    spans = exporter.get_finished_spans()
    expected = {
        ("enqueue mail.deliver", "GET /traced/mail"),
        ("run mail.deliver", "enqueue mail.deliver"),
        ("send mail", "run mail.deliver"),
    }
    assert expected <= set(edges(spans))
    assert "@" not in "".join(span.to_json() for span in spans)


async def test_thirty_requests_at_once_have_no_wrong_parent(
    container: TracedContainer, app: Flask, exporter: InMemorySpanExporter
) -> None:
    """In task groups, threads and streams of all kinds, each with two spans that are open while all others are."""
    kinds = {"groups": 2, "events": 1, "chunks": 1, "sync": 1, "sync-chunks": 1}
    pairs = {f"{kind}/{number}": spans for kind, spans in kinds.items() for number in range(6)}
    asgi = create_asgi(container, app)
    async with client_of(asgi):
        meeting.expect(sum(pairs.values()))
        traces = {path: f"{number:032x}" for number, path in enumerate(pairs, 1)}
        requests = [
            ask(asgi, f"/traced/{path}", headers=[(b"traceparent", f"00-{traces[path]}-{PARENT}-01".encode())])
            for path in pairs
        ]
        assert {answer.status for answer in await asyncio.gather(*requests)} == {200}
        # Nothing of it is left behind: neither here nor on the threads that have served.
        assert (current_spans(), trace_headers(), get_contextvars()) == (None, None, {})
        assert not trace.get_current_span().get_span_context().is_valid
        meeting.expect(6)
        await asyncio.gather(*(ask(asgi, f"/traced/sync/{number}") for number in range(6)))
    spans = exporter.get_finished_spans()
    assert len(spans) == 30 + 2 * sum(pairs.values()) + 6 * 3
    for path, pair_count in pairs.items():
        own = tuple(span for span in spans if span.context and f"{span.context.trace_id:032x}" == traces[path])
        [request] = [span for span in own if span.kind is SpanKind.SERVER]
        assert edges(own) == sorted(
            [(request.name, "remote"), *[("inner", "outer"), ("outer", request.name)] * pair_count]
        )
        numbers = {span.attributes["number"] for span in own if span.name != request.name and span.attributes}
        assert numbers == {int(path.partition("/")[2])}
    assert sum(span.parent is None for span in spans) == 6


async def test_what_is_our_fault_is_an_error_and_what_is_the_clients_is_none(
    container: TracedContainer, app: Flask, exporter: InMemorySpanExporter
) -> None:
    async with served(container, app) as client:
        assert (await client.get("/traced/order/0")).status_code == 404
        assert (await client.get("/traced/fail")).status_code == 500
        assert (await client.get("/nowhere/at/all")).status_code == 404
        assert (await client.request("BREW", "/traced/fail")).status_code == 405
        assert (await client.get("/traced/order/13")).status_code == 200
        await drain(container)
    spans = exporter.get_finished_spans()

    def outcome(name: str) -> tuple[StatusCode, object]:
        attributes = named(spans, name).attributes or {}
        return named(spans, name).status.status_code, attributes.get("error.type")

    assert outcome("GET /traced/fail") == (StatusCode.ERROR, "LookupError")
    assert outcome("GET") == (StatusCode.UNSET, None)
    assert outcome("HTTP") == (StatusCode.UNSET, None)
    assert outcome("run traced.remind") == (StatusCode.ERROR, "LookupError")
    units = [span for span in spans if span.name == "Shop.order"]
    assert [(span.status.status_code, (span.attributes or {}).get("error.type")) for span in units] == [
        (StatusCode.UNSET, "NotFoundError"),
        (StatusCode.UNSET, None),
    ]
    # A text may be personal.
    assert "secret" not in "".join(span.to_json() for span in spans)


async def test_a_trace_that_its_sender_does_not_keep_is_not_kept_here(
    container: TracedContainer, app: Flask, exporter: InMemorySpanExporter
) -> None:
    async with served(container, app) as client:
        await client.get("/traced/order/1", headers={"traceparent": f"00-{TRACE}-{PARENT}-00"})
        await client.get("/health/ready")
        assert await drain(container) == 1
    assert exporter.get_finished_spans() == ()
    # Those who are called are told so.
    assert [(header[:35], header[-2:]) for header in called] == [(f"00-{TRACE}", "00")] * 2


async def test_a_ratio_of_the_traces_that_begin_here_is_kept(
    database: MemoryDatabase, container: TracedContainer, app: Flask, exporter: InMemorySpanExporter
) -> None:
    with override(container, tracing=tracing_to(exporter, database, sample_ratio=0.0)):
        async with served(container, app) as client:
            await client.get("/traced/sync/1")
            await client.get("/traced/sync/1", headers={"traceparent": TRACEPARENT})
    assert [span.name for span in exporter.get_finished_spans() if span.kind is SpanKind.SERVER] == [
        "GET /traced/sync/<int:number>"
    ]


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the spans that OpenTelemetry is asked for."""
    names, start_span = [], Tracer.start_span

    def noted(self: Tracer, name: str, *more: Any, **others: Any) -> trace.Span:
        names.append(name)
        return start_span(self, name, *more, **others)

    monkeypatch.setattr(Tracer, "start_span", noted)
    return names


async def test_a_trace_that_is_not_kept_has_ids_and_makes_no_spans(
    database: MemoryDatabase, container: TracedContainer, app: Flask, lines: Lines, begun: list[str]
) -> None:
    with override(container, tracing=tracing_to(InMemorySpanExporter(), database, sample_ratio=0.0)):
        async with served(container, app) as client:
            lines()
            assert (await client.get("/traced/order/1")).status_code == 200
            assert await drain(container) == 1
            logged = lines()
    [request], [job] = ([line for line in logged if line["event"] == event] for event in ("request", "job"))
    # Each once, to find out that it is not kept.
    assert begun == ["GET", "run traced.remind"]
    # The log has the ids, and so have those who are called, by the request and by its job.
    assert request["trace_id"] == job["trace_id"]
    assert [header[:53] for header in called] == [
        f"00-{line['trace_id']}-{line['span_id']}-" for line in (request, job)
    ]
    assert not any(int(header[-2:], 16) & trace.TraceFlags.SAMPLED for header in called)


async def test_each_line_of_the_log_has_the_ids_of_its_trace_and_its_request(
    container: TracedContainer, app: Flask, exporter: InMemorySpanExporter, lines: Lines
) -> None:
    async with served(container, app) as client:
        lines()
        await client.get("/traced/order/1", headers={"traceparent": TRACEPARENT, "X-Request-ID": "mine-1"})
        await drain(container)
        logged = lines()
        [request], [job] = ([line for line in logged if line["event"] == event] for event in ("request", "job"))
        await client.get("/health/live")
        [probe] = lines()
    spans = exporter.get_finished_spans()
    for line, name in ((request, "GET /traced/order/<int:number>"), (job, "run traced.remind")):
        span = named(spans, name)
        assert span.context is not None
        assert (line["trace_id"], line["span_id"]) == (TRACE, f"{span.context.span_id:016x}")
        assert line["request_id"] == "mine-1"
    assert not {"trace_id", "span_id"} & set(probe)


class Collector(BaseHTTPRequestHandler):
    """Takes spans as an OTLP collector does."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        plain = gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body
        self.server.taken.append((self.path, ExportTraceServiceRequest.FromString(plain)))  # type: ignore[attr-defined]
        self.send_response(200)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Say nothing."""


async def test_a_collector_gets_spans_by_otlp(database: MemoryDatabase) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Collector) as server:
        server.taken = []  # type: ignore[attr-defined]
        Thread(target=server.serve_forever, daemon=True).start()
        tracing = tracing_to(None, database, endpoint=f"http://127.0.0.1:{server.server_port}")
        tracing.open()
        with tracing.job("run something", {"traceparent": TRACEPARENT}):
            pass
        # What has not been sent is sent at the end.
        await tracing.close()
        server.shutdown()
        [(path, sent)] = server.taken  # type: ignore[attr-defined]
    assert path == "/v1/traces"
    [resource] = sent.resource_spans
    told = {attribute.key: attribute.value.string_value for attribute in resource.resource.attributes}
    assert (told["service.name"], told["deployment.environment.name"]) == ("tests", "testing")
    [span] = resource.scope_spans[0].spans
    assert (span.name, span.trace_id.hex(), span.parent_span_id.hex()) == ("run something", TRACE, PARENT)


def test_nothing_is_in_the_way_where_nothing_is_traced(settings: Settings, database: MemoryDatabase) -> None:
    container = Container()
    with override(container, settings=settings, database=database):
        app = create_app(container)
        asgi = create_asgi(container, app)
        container.tracing().open()
        unwire(container)
    assert type(asgi) is FlaskASGI
    hooks = [hook.__module__ for hook in app.before_request_funcs[None]]
    assert not [module for module in hooks if module.startswith("carboy.telemetry")]
    # Methods are those of their classes, and nobody listens to statements.
    assert not {"read", "write"} & set(vars(database))
    for engine in container.engines().sources:
        assert not {"do_execute", "do_executemany", "do_commit"} & set(vars(engine.dialect))
        assert len(engine.dispatch.before_cursor_execute) == 0
