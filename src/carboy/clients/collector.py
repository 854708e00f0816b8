"""Tells Prometheus how calls of other people's APIs end, and whether they are made at all."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import get_args

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric

from carboy.clients.breaker import State
from carboy.clients.connections import HttpClient

RETRIES = "retries"
"""What an `ApiClient` counts among its outcomes and is none."""


class ClientCollector:
    """Makes series of the numbers of all clients.

    Args:
        http: Knows the clients, as it holds the connections of each.
    """

    def __init__(self, http: HttpClient) -> None:
        self._http = http

    def collect(self) -> Iterator[Metric]:
        outcomes: defaultdict[str, Counter[str]] = defaultdict(Counter)
        states: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for client in self._http.clients():
            outcomes[client.name].update(dict([*client.outcomes.items()]))
            states[client.name][client.breaker.state] += 1
        calls = CounterMetricFamily("carboy_client_calls", "Calls of an API.", labels=["client", "outcome"])
        retries = CounterMetricFamily("carboy_client_retries", "Repeated attempts of calls.", labels=["client"])
        circuits = GaugeMetricFamily(
            "carboy_client_circuits", "Circuit breakers of a client.", labels=["client", "state"]
        )
        for name in sorted(outcomes):
            retries.add_metric([name], outcomes[name].pop(RETRIES, 0))
            for outcome, count in sorted(outcomes[name].items()):
                calls.add_metric([name, outcome], count)
            for state in get_args(State):
                circuits.add_metric([name, state], states[name][state])
        yield from (calls, retries, circuits)
