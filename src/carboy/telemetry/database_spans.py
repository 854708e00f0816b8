"""Spans of units of work, which are calls of services, of their statements and of their commits."""

import re
from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import Any, TypeVar

from opentelemetry.trace import SpanKind
from sqlalchemy.engine import Dialect

from carboy.db import Database, Engines
from carboy.telemetry.database_metrics import EXECUTE
from carboy.telemetry.spans import Spans, fail
from carboy.telemetry.tracing import current_spans, span

T = TypeVar("T")
Run = Callable[[Callable[[], Awaitable[T]]], Awaitable[T]]

OPERATION = re.compile(r"\s*(?:WITH\b.*?\)\s*)?(SELECT|INSERT|UPDATE|DELETE|[A-Za-z]+)\b", re.DOTALL)
TABLE = re.compile(r"\b(?:FROM|INTO|UPDATE)\s+\"?(\w+)")


def watch(engines: Engines, database: Database) -> None:
    """Make spans of what is done in a trace from now on, and of nothing else: workers look for jobs all the time."""
    for dialect in {engine.dialect for engine in engines.sources}:
        # Engines may be traced again, by the next container that has them.
        if not hasattr(dialect.do_commit, "is_traced"):
            for name in EXECUTE:
                setattr(dialect, name, _traced(dialect.name, getattr(dialect, name)))
            dialect.do_commit = _traced_commit(dialect)  # type: ignore[assignment, method-assign]
    for name in ("read", "write"):
        setattr(database, name, _traced_unit(getattr(database, name)))


def _traced_unit(run: Run[T]) -> Run[T]:
    """Give each unit of work a span, named by the method that it is."""

    async def in_span(spans: Spans, work: Callable[[], Awaitable[T]]) -> T:
        with spans.span(_name_of(work), "internal", {}):
            return await run(work)

    def traced(work: Callable[[], Awaitable[T]]) -> Awaitable[T]:
        spans = current_spans()
        return run(work) if spans is None else in_span(spans, work)

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


def _traced(system: str, execute: Callable[..., None]) -> Callable[..., None]:
    """Give each statement a span, which is never the current one, as nothing is done within."""

    def traced(cursor: Any, statement: str, *rest: Any) -> None:
        spans = current_spans()
        if spans is None:
            execute(cursor, statement, *rest)
            return
        operation, summary = _summary(statement)
        attributes = {
            "db.system.name": system,
            "db.operation.name": operation,
            "db.query.summary": summary,
            # Values are parameters, and not part of it.
            "db.query.text": statement,
        }
        begun = spans.tracer.start_span(summary, kind=SpanKind.CLIENT, attributes=attributes)
        try:
            execute(cursor, statement, *rest)
        except BaseException as error:
            # The driver's own error, where SQLAlchemy's adapter wraps it.
            fail(begun, error.__cause__ or error)
            raise
        finally:
            begun.end()

    return traced


@lru_cache(maxsize=1024)
def _summary(statement: str) -> tuple[str, str]:
    """Return the operation of a statement, and with it the first table that it names."""
    found = OPERATION.match(statement)
    operation = "SQL" if found is None else found[1].upper()
    table = TABLE.search(statement)
    return operation, operation if table is None else f"{operation} {table[1]}"
