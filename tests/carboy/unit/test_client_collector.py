"""What Prometheus is told of clients of other people's APIs."""

import gc

import httpx2
import pytest
from prometheus_client import CollectorRegistry
from support.clients import SETTINGS, WeatherClient

from carboy.clients import HttpClient, UpstreamUnavailableError
from carboy.clients.collector import ClientCollector


async def test_calls_by_outcome_retries_and_circuits_are_series() -> None:
    answers = iter([httpx2.Response(200, json={"degrees": 1}), *[httpx2.Response(503)] * 10])
    settings = SETTINGS.model_copy(update={"attempts": 2, "breaker_failures": 2})
    http = HttpClient(settings, transport=httpx2.MockTransport(lambda _request: next(answers)))
    registry = CollectorRegistry()
    registry.register(ClientCollector(http))
    http.open()
    # Two that are of one name are told together.
    clients = [WeatherClient(http, f"https://{name}.example") for name in ("one", "two")]
    await clients[0].weather("Oslo")
    with pytest.raises(UpstreamUnavailableError):
        await clients[0].weather("Oslo")

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(name, {"client": "weather", **labels})

    assert value("carboy_client_calls_total", outcome="ok") == 1
    assert value("carboy_client_calls_total", outcome="upstream_unavailable") == 1
    assert value("carboy_client_calls_total", outcome="retries") is None
    assert value("carboy_client_retries_total") == 1
    states = {state: value("carboy_client_circuits", state=state) for state in ("closed", "half_open", "open")}
    assert states == {"closed": 1, "half_open": 0, "open": 1}
    clients.clear()
    gc.collect()
    assert value("carboy_client_retries_total") is None
    await http.close()
