"""Spans of units of work, which are calls of services, of their statements and of their commits."""

import re
from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import Any, TypeVar

from opentelemetry.trace import Span, SpanKind
from sqlalchemy import event
from sqlalchemy.engine import Dialect, ExceptionContext

from carboy.db import Database, Engines
from carboy.telemetry.spans import fail
from carboy.telemetry.tracing import current_spans, span

T = TypeVar("T")
Run = Callable[[Callable[[], Awaitable[T]]], Awaitable[T]]

OPERATION = re.compile(r"\s*(?:WITH\b.*?\)\s*)?(SELECT|INSERT|UPDATE|DELETE|[A-Za-z]+)\b", re.DOTALL)
TABLE = re.compile(r"\b(?:FROM|INTO|UPDATE)\s+\"?(\w+)")


def watch(engines: Engines, database: Database) -> None:
    """Make spans of what is done in a trace from now on, and of nothing else: workers look for jobs all the time."""
    for engine in engines.sources:
        event.listen(engine, "before_cursor_execute", _begin)
        event.listen(engine, "after_cursor_execute", _end)
        event.listen(engine, "handle_error", _fail)
    for dialect in {engine.dialect for engine in engines.sources}:
        # Engines may be traced again, by the next container that has them.
        if not hasattr(dialect.do_commit, "is_traced"):
            dialect.do_commit = _traced_commit(dialect)  # type: ignore[assignment, method-assign]
    for name in ("read", "write"):
        setattr(database, name, _traced_unit(getattr(database, name)))


def _traced_unit(run: Run[T]) -> Run[T]:
    """Give each unit of work a span, named by the method that it is."""

    async def traced(work: Callable[[], Awaitable[T]]) -> T:
        if current_spans() is None:
            return await run(work)
        with span(_name_of(work)):
            return await run(work)

    return traced


def _name_of(work: Any) -> str:
    # Of a method that is `transactional` it is a partial function.
    name: str = getattr(getattr(work, "func", work), "__qualname__", "unit of work")
    return name.partition(".<locals>")[0]


def _traced_commit(dialect: Dialect) -> Callable[[Any], None]:
    """Give commits a span, as they wait for the disk: SQLAlchemy has no event for their end."""
    commit = dialect.do_commit

    def traced(connection: Any) -> None:
        with span("COMMIT", "client", **{"db.system.name": dialect.name, "db.operation.name": "COMMIT"}):
            commit(connection)

    traced.is_traced = True  # type: ignore[attr-defined]
    return traced


def _begin(connection: Any, _cursor: Any, statement: str, _values: Any, context: Any, _many: Any) -> None:
    spans = current_spans()
    if spans is None or context is None:
        return
    operation, summary = _summary(statement)
    attributes = {
        "db.system.name": connection.dialect.name,
        "db.operation.name": operation,
        "db.query.summary": summary,
        # Values are parameters, and not part of it.
        "db.query.text": statement,
    }
    context.carboy_span = spans.tracer.start_span(summary, kind=SpanKind.CLIENT, attributes=attributes)


def _end(_connection: Any, _cursor: Any, _statement: Any, _values: Any, context: Any, _many: Any) -> None:
    begun: Span | None = getattr(context, "carboy_span", None)
    if begun is not None:
        begun.end()
        context.carboy_span = None


def _fail(failure: ExceptionContext) -> None:
    context: Any = failure.execution_context
    begun: Span | None = getattr(context, "carboy_span", None)
    if begun is not None:
        # The driver's own error, where SQLAlchemy's adapter wraps it.
        fail(begun, failure.original_exception.__cause__ or failure.original_exception)
        begun.end()
        context.carboy_span = None


@lru_cache(maxsize=1024)
def _summary(statement: str) -> tuple[str, str]:
    """Return the operation of a statement, and with it the first table that it names."""
    found = OPERATION.match(statement)
    operation = "SQL" if found is None else found[1].upper()
    table = TABLE.search(statement)
    return operation, operation if table is None else f"{operation} {table[1]}"
