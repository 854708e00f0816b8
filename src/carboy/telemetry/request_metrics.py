"""The figures of requests."""

from collections.abc import Callable, Iterator
from time import perf_counter

from flask import Flask, Response
from prometheus_client.metrics_core import GaugeMetricFamily, Metric

from carboy.config.settings import MetricsSettings
from carboy.telemetry.durations import LabelledDurations
from carboy.web.application import current_request

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
"""Seconds: those of OpenTelemetry's semantic conventions for HTTP, and two below them. The names are theirs too."""
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
OTHER = "_OTHER"
"""What the conventions call any other method: clients could make up as many as they like."""


class RequestMetrics:
    """Measures each request, from when Flask has it until its answer begins, and counts those in progress.

    Attributes:
        count_active: Returns how many requests are in progress; whoever serves the application sets it.
    """

    def __init__(self, settings: MetricsSettings) -> None:
        self._is_on = settings.port is not None
        self.count_active: Callable[[], int] = int
        self._durations = LabelledDurations(
            "http_server_request_duration_seconds",
            "Time until an answer begins.",
            ["method", "route", "status"],
            BUCKETS,
        )
        self._add: dict[tuple[str, str, int], Callable[[float], None]] = {}

    def init_app(self, app: Flask) -> None:
        """Measure the requests of an application, if there are metrics."""
        if not self._is_on:
            return
        adds = self._add

        # No method: to find out that one is not async takes longer than to call it.
        def observe(response: Response) -> Response:
            request = current_request()
            # The route, not the path: that has the values in it.
            rule = request.url_rule
            key = request.method, "" if rule is None else rule.rule, response.status_code
            add = adds.get(key) or self._add_of(*key)
            add(perf_counter() - request.started)
            return response

        app.after_request(observe)

    def collect(self) -> Iterator[Metric]:
        yield from self._durations.collect()
        yield GaugeMetricFamily(
            "http_server_active_requests", "Requests in progress, streams among them.", self.count_active()
        )

    def _add_of(self, method: str, route: str, status: int) -> Callable[[float], None]:
        is_known = method in METHODS
        add = self._durations.of(method if is_known else OTHER, route, str(status)).add
        if is_known:
            self._add[method, route, status] = add
        return add
