"""Each statement of a trace has one span, on a real database."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode
from sqlalchemy import event
from support.databases import database_settings
from support.traced import SETTINGS_OF_TRACES
from support.users import registration

from carboy.config.settings import Settings
from carboy.db import Engines
from carboy.server import create_asgi
from carboy.testing import client_of, override
from containers import Container


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def container(settings: Settings, database_url: str, exporter: InMemorySpanExporter) -> Iterator[Container]:
    container = Container()
    real = settings.model_copy(update={"database": database_settings(database_url), "tracing": SETTINGS_OF_TRACES})
    with override(container, settings=real):
        container.tracing.add_kwargs(exporter=exporter)
        yield container


@pytest.fixture
def statements(container: Container) -> list[str]:
    """What the engines are asked within the trace, counted by an event of our own."""
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        seen.append(statement)

    engines: Engines = container.engines()
    for engine in engines.sources:
        event.listen(engine, "before_cursor_execute", note)
    return seen


async def test_each_statement_has_a_span(
    container: Container, app: Flask, exporter: InMemorySpanExporter, statements: list[str], client_headers: Any
) -> None:
    async with client_of(create_asgi(container, app), client_headers) as client:
        # No part of a trace. SQLAlchemy asks PostgreSQL three things when it meets it, without events.
        assert (await client.get("/health/ready")).status_code == 200
        statements.clear()
        assert (await client.post("/api/users", json=registration())).status_code == 201
        assert (await client.post("/api/users", json=registration())).status_code == 409
        assert (await client.get("/api/users/1")).status_code == 200
        asked = list(statements)
    spans = [span for span in exporter.get_finished_spans() if "db.query.text" in (span.attributes or {})]
    assert Counter(span.attributes["db.query.text"] for span in spans if span.attributes) == Counter(asked)
    assert len(asked) > 5
    refused = [span for span in spans if span.status.status_code is StatusCode.ERROR]
    assert [span.name for span in refused] == ["INSERT users"]
    kind = "sqlite" if container.engines().reader.dialect.name == "sqlite" else "postgresql"
    assert {span.attributes["db.system.name"] for span in spans if span.attributes} == {kind}
    commits = [span for span in exporter.get_finished_spans() if span.name == "COMMIT"]
    assert len(commits) == 1
