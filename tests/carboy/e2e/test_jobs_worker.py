"""Workers as processes of their own, and in a server."""

import signal

import pytest
from support.carboy_server import HYPERCORN, flask, launch, serve, wait_for


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_ends_well_when_it_is_told_to(environment: dict[str, str], number: signal.Signals) -> None:
    with launch(("flask", "jobs", "work"), environment | {"FLASK_APP": "asgi"}) as worker:
        wait_for(lambda: "working on default" in worker.output(), "The worker does not start")
        worker.signal(number)
        assert worker.process.wait(10) == 0, worker.output()
        assert "stopping" in worker.output()


def test_a_server_on_sqlite_works_on_jobs_itself(environment: dict[str, str]) -> None:
    with serve(HYPERCORN, environment | {"CARBOY_JOBS__EMBEDDED": "true"}) as server:
        with server.client() as client:
            assert client.get("/health/ready").status_code == 200
        assert flask("jobs", "queues", environment=environment | {"FLASK_APP": "asgi"}).returncode == 0
        assert server.stop() == 0, server.output()
