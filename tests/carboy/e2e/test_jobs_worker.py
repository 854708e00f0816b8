"""Workers as processes of their own; in a server they are in `test_streams`."""

import signal

import pytest
from support.carboy_server import launch, wait_for


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_ends_well_when_it_is_told_to(environment: dict[str, str], number: signal.Signals) -> None:
    with launch(("flask", "jobs", "work"), environment | {"FLASK_APP": "asgi"}) as worker:
        wait_for(lambda: "working on default" in worker.output(), "The worker does not start")
        worker.signal(number)
        assert worker.process.wait(10) == 0, worker.output()
        assert "stopping" in worker.output()
