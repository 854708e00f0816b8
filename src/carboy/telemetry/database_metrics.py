"""The figures of the database: its pools, and the time of statements and commits."""

import time
from collections.abc import Iterator
from typing import Any

from prometheus_client import Histogram
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric, SummaryMetricFamily
from sqlalchemy import event
from sqlalchemy.engine import Dialect

from carboy.config.settings import MetricsSettings
from carboy.db import Engines
from carboy.telemetry.observations import Observations

BUCKETS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10)
"""Seconds: those of OpenTelemetry's semantic conventions for databases, and some below them."""
OPERATIONS = ("SELECT", "INSERT", "UPDATE", "DELETE", "COMMIT", "OTHER")


class DatabaseMetrics:
    """Measures statements and commits from the open on, and looks at the pools when it is asked."""

    def __init__(self, settings: MetricsSettings, engines: Engines) -> None:
        self._is_on, self._is_listening = settings.port is not None, False
        self._engines = engines
        self._durations = Histogram(
            "db_client_operation_duration_seconds",
            "Time of statements and commits, as they seem to the application.",
            ["operation"],
            buckets=BUCKETS,
            registry=None,
        )
        self._observations = Observations()
        self._children: dict[str, Histogram] = {}

    def open(self) -> None:
        if not self._is_on or self._is_listening:
            return
        self._is_listening = True
        self._children = {operation: self._durations.labels(operation) for operation in OPERATIONS}
        engines = self._engines.sources
        for engine in engines:
            event.listen(engine, "before_cursor_execute", _begin, retval=True)
            event.listen(engine, "after_cursor_execute", self._end)
        for dialect in {engine.dialect for engine in engines}:
            self._measure_commits(dialect)

    def close(self) -> None:
        """Do nothing: the engines are measured as long as they live."""

    def collect(self) -> Iterator[Metric]:
        self._observations.flush()
        yield from self._durations.collect()
        yield from self._pools()

    def _pools(self) -> Iterator[Metric]:
        labels = ["pool"]
        size = GaugeMetricFamily("db_client_connection_max", "Most connections of the pool.", labels=labels)
        count = GaugeMetricFamily("db_client_connection_count", "Open connections.", labels=["pool", "state"])
        pending = GaugeMetricFamily("db_client_connection_pending_requests", "Waits for a connection.", labels=labels)
        waits = SummaryMetricFamily("db_client_connection_wait_time_seconds", "Time of ended waits.", labels=labels)
        timeouts = CounterMetricFamily("db_client_connection_timeouts", "Waits that were in vain.", labels=labels)
        for name, (pool, turns) in self._engines.connections.pools().items():
            size.add_metric([name], turns.number)
            count.add_metric([name, "used"], turns.taken)
            # What is kept for the next statement, the pool takes for used.
            count.add_metric([name, "idle"], max(pool.checkedin() + pool.checkedout() - turns.taken, 0))
            pending.add_metric([name], turns.waiting)
            waits.add_metric([name], turns.waits, turns.waited_seconds)
            timeouts.add_metric([name], turns.timeouts)
        yield from (size, count, pending, waits, timeouts)

    def _end(self, _connection: Any, _cursor: Any, _statement: Any, _values: Any, context: Any, _many: Any) -> None:
        if context is not None:
            self._observations.add(self._children[_operation(context)], time.perf_counter() - context.carboy_began)

    def _measure_commits(self, dialect: Dialect) -> None:
        """Measure a dialect's commits, which wait for the disk: SQLAlchemy has no event for their end."""
        commit, add, child = dialect.do_commit, self._observations.add, self._children["COMMIT"]

        def measured(connection: Any) -> None:
            began = time.perf_counter()
            commit(connection)
            add(child, time.perf_counter() - began)

        dialect.do_commit = measured  # type: ignore[assignment, method-assign]


def _begin(_connection: Any, _cursor: Any, statement: Any, values: Any, context: Any, _many: Any) -> tuple[Any, Any]:
    if context is not None:
        context.carboy_began = time.perf_counter()
    return statement, values


def _operation(context: Any) -> str:
    if context.isinsert:
        return "INSERT"
    if context.isupdate:
        return "UPDATE"
    if context.isdelete:
        return "DELETE"
    return "SELECT" if getattr(context.invoked_statement, "is_select", False) else "OTHER"
