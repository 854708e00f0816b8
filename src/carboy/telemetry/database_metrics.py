"""The figures of the database: its pools, and the time of statements and commits."""

from collections.abc import Callable, Iterator, Mapping
from time import perf_counter
from typing import Any

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric, SummaryMetricFamily

from carboy.config.settings import MetricsSettings
from carboy.db import Engines
from carboy.telemetry.durations import LabelledDurations

Add = Callable[[float], None]

BUCKETS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10)
"""Seconds: those of OpenTelemetry's semantic conventions for databases, and some below them."""
EXECUTE = ("do_execute", "do_executemany", "do_execute_no_params")
"""The methods of a dialect that run statements."""
OPERATIONS = ("SELECT", "INSERT", "UPDATE", "DELETE", "COMMIT", "OTHER")


class DatabaseMetrics:
    """Measures statements and commits from the open on, and looks at the pools when it is asked."""

    def __init__(self, settings: MetricsSettings, engines: Engines) -> None:
        self._is_on, self._is_listening = settings.port is not None, False
        self._engines = engines
        self._durations = LabelledDurations(
            "db_client_operation_duration_seconds",
            "Time of statements and commits, as they seem to the application.",
            ["operation"],
            BUCKETS,
        )

    def open(self) -> None:
        if not self._is_on or self._is_listening:
            return
        self._is_listening = True
        add = {operation: self._durations.of(operation).add for operation in OPERATIONS}
        for dialect in {engine.dialect for engine in self._engines.sources}:
            for name in EXECUTE:
                setattr(dialect, name, _measured(getattr(dialect, name), add))
            dialect.do_commit = _measured_commit(dialect.do_commit, add["COMMIT"])  # type: ignore[assignment, method-assign]

    def close(self) -> None:
        """Do nothing: the engines are measured as long as they live."""

    def collect(self) -> Iterator[Metric]:
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


def _measured(execute: Callable[..., None], add: Mapping[str, Add]) -> Callable[..., None]:
    """Measure what runs statements. SQLAlchemy's events would cost three times as much: it prepares more for them."""

    def measured(cursor: Any, statement: str, *rest: Any) -> None:
        began = perf_counter()
        execute(cursor, statement, *rest)
        # The last argument is SQLAlchemy's context of the statement.
        add[_operation(rest[-1])](perf_counter() - began)

    return measured


def _measured_commit(commit: Callable[[Any], None], add: Add) -> Callable[[Any], None]:
    """Measure commits, which wait for the disk: SQLAlchemy has no event for their end."""

    def measured(connection: Any) -> None:
        began = perf_counter()
        commit(connection)
        add(perf_counter() - began)

    return measured


def _operation(context: Any) -> str:
    if context.isinsert:
        return "INSERT"
    if context.isupdate:
        return "UPDATE"
    if context.isdelete:
        return "DELETE"
    return "SELECT" if getattr(context.invoked_statement, "is_select", False) else "OTHER"
