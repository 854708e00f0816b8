"""What Prometheus finds at a server's processes."""

import re

import httpx
from support.carboy_server import HYPERCORN, HYPERCORN_WORKERS, PRODUCTION, free_port, launch, serve, wait_for
from support.server import NO_TLS

REQUESTS = 40


def requests_at(port: int) -> int | None:
    """Return how many requests a process has counted; None if none listens at that port."""
    try:
        text = httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False, verify=NO_TLS).text
    except httpx.ConnectError:
        return None
    counts = re.findall(r"http_server_request_duration_seconds_count{.*} (\S+)", text)
    return int(sum(map(float, counts)))


def test_each_of_several_workers_has_a_port_and_counts_what_it_answers(environment: dict[str, str]) -> None:
    # Under several workers none tells that it is ready. The ports that follow a free one are hardly ever in use.
    with free_port() as port:
        watched = environment | PRODUCTION | {"CARBOY_METRICS__PORT": str(port)}
        with serve(HYPERCORN_WORKERS, watched) as server:
            wait_for(lambda: None not in {requests_at(port), requests_at(port + 1)}, "A worker has no metrics")
            for _ in range(REQUESTS):
                # Each on a connection of its own, which either worker may take.
                with server.client() as client:
                    assert client.get("/health/live").status_code == 200
            assert sum(requests_at(port + number) or 0 for number in range(2)) == REQUESTS
            with server.client() as client:
                assert client.get("/metrics").status_code == 404


def test_an_address_that_is_not_this_machines_fails_the_start(environment: dict[str, str]) -> None:
    wrong = environment | {"CARBOY_METRICS__PORT": "9464", "CARBOY_METRICS__HOST": "192.0.2.1"}
    with launch(HYPERCORN, wrong) as server:
        assert server.wait() != 0
        assert "Cannot assign requested address" in server.output()
