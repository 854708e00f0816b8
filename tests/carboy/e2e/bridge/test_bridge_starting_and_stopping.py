"""How a real hypercorn starts and stops the application."""

import signal
import sys
import threading
from pathlib import Path

import httpx
import pytest
from support.server import PATIENCE, launch, read_to_end, serve


@pytest.fixture(params=["asyncio", "uvloop"])
def worker(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_the_lifespan_surrounds_the_requests(log: Path, worker: str) -> None:
    with serve("support.demo:asgi", worker=worker, environment={"DEMO_LOG": str(log)}) as server:
        assert httpx.get(f"{server.url}/sync").text == "/sync"
        assert server.stop() == 0
    assert log.read_text().splitlines() == ["start", "teardown /*", "teardown /sync", "stop"]


def test_a_start_that_fails_says_why_and_exits_with_an_error(worker: str) -> None:
    with launch("support.demo:asgi", worker=worker, environment={"DEMO_FAILS": "start"}) as server:
        assert server.process.wait(PATIENCE) != 0
        assert "LookupError: there is no database" in server.output()


def test_a_stop_that_fails_says_why_and_exits_with_an_error(worker: str) -> None:
    with serve("support.demo:asgi", worker=worker, environment={"DEMO_FAILS": "stop"}) as server:
        assert server.stop() != 0
        assert "LookupError: the database is stuck" in server.output()


@pytest.mark.parametrize("path", ["/slow?seconds=1", "/blocking?seconds=1"])
def test_requests_in_flight_are_answered_before_the_server_stops(log: Path, path: str) -> None:
    with serve("support.demo:asgi", environment={"DEMO_LOG": str(log)}) as server:
        answers: list[str] = []
        thread = threading.Thread(target=lambda: answers.append(httpx.get(server.url + path, timeout=20).text))
        thread.start()
        httpx.get(f"{server.url}/wait/{path[1:].partition('?')[0]}", timeout=20)
        assert server.stop(signal.SIGINT) == 0
        thread.join(20)
    assert answers == ["done"]
    assert log.read_text().splitlines()[-1] == "stop"


def test_a_request_that_outlives_its_server_still_ends_before_the_application_stops(log: Path) -> None:
    arguments = ("--graceful-timeout", "0")
    with serve("support.demo:asgi", *arguments, environment={"DEMO_LOG": str(log)}) as server:
        connection = server.connect()
        connection.sendall(b"GET /slow?seconds=1 HTTP/1.1\r\nhost: localhost\r\n\r\n")
        httpx.get(f"{server.url}/wait/slow", timeout=20)
        server.stop()
        connection.close()
    assert log.read_text().splitlines()[-3:] == ["slow ends", "teardown /slow", "stop"]


@pytest.mark.parametrize(
    "worker",
    [
        pytest.param(
            "asyncio",
            marks=pytest.mark.skipif(
                sys.version_info >= (3, 12),
                reason="From Python 3.12 on, this worker of hypercorn 0.18 waits for as long as clients stay",
            ),
        ),
        "uvloop",
    ],
)
@pytest.mark.parametrize(
    "half",
    [
        b"GET /stream/waiting?chunks=0 HTTP/1.1\r\nhost: localhost\r\n\r\n",
        b"GET /stream/waiting-context?chunks=0 HTTP/1.1\r\nhost: localhost\r\n\r\n",
        b"GET /stream/async?chunks=1000000 HTTP/1.1\r\nhost: localhost\r\n\r\n",
        b"POST /echo HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\nhalf",
    ],
    ids=["waiting stream", "waiting stream with context", "endless stream", "half a body"],
)
def test_clients_that_stay_do_not_keep_the_server_from_stopping(log: Path, worker: str, half: bytes) -> None:
    arguments = ("--graceful-timeout", "0")
    environment = {"DEMO_LOG": str(log)}
    with serve("support.demo:asgi", *arguments, worker=worker, environment=environment) as server:
        with server.connect() as connection:
            connection.sendall(half)
            if half.startswith(b"GET"):
                assert connection.recv(100)
            else:
                assert httpx.get(f"{server.url}/sync").text == "/sync"
            # The client takes all that comes: hypercorn itself waits for one that does not.
            reader = threading.Thread(target=read_to_end, args=[connection])
            reader.start()
            # It would be killed only after hypercorn's shutdown_timeout, a minute; stop() waits less.
            server.stop()
            reader.join(PATIENCE)
        assert "LifespanTimeout" not in server.output()
    assert log.read_text().splitlines()[-1] == "stop"


@pytest.mark.parametrize("path", ["/never/view", "/never/stream", "/stubborn"])
def test_a_request_that_never_ends_does_not_keep_the_process_alive(log: Path, path: str) -> None:
    environment = {"DEMO_LOG": str(log), "DEMO_STOP_SECONDS": "0.2"}
    # The other worker of hypercorn 0.18 waits for each connection from Python 3.12 on.
    with serve("support.demo:asgi", "--graceful-timeout", "0", worker="uvloop", environment=environment) as server:
        with server.connect() as connection:
            connection.sendall(f"GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n".encode())
            httpx.get(f"{server.url}/wait/never {path.rpartition('/')[2]}", timeout=20)
        server.stop()
        assert "did not end within 0.2 seconds" in server.output()
    assert log.read_text().splitlines()[-1] == "stop"
