"""Streams of events under a real server: two workers that share a PostgreSQL, and one with SQLite that runs jobs."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from support.carboy_server import HYPERCORN, HYPERCORN_WORKERS, CarboyServer, migrated_copy, serve, wait_for
from support.databases import migrated, new_postgresql_database, why_unreachable
from support.following import Stream, ask, following
from support.integration import REQUIRED_VARIABLE

APP = "support.streaming_asgi:asgi"
HURRIED = {"CARBOY_ENV": "testing", "CARBOY_HTTP__EVENT_HEARTBEAT_SECONDS": "0.2", "PYTHONPATH": "tests"}
"""A server whose streams send heartbeats five times a second."""


@pytest.fixture(scope="module")
def workers() -> Iterator[CarboyServer]:
    """A server with two workers."""
    if reason := why_unreachable():
        (pytest.fail if os.environ.get(REQUIRED_VARIABLE) else pytest.skip)(f"NOT TESTED ON POSTGRESQL: {reason}")
    with new_postgresql_database() as url:
        environment = HURRIED | {"CARBOY_DATABASE__URL": migrated(url)}
        with serve((*HYPERCORN_WORKERS[:-1], APP), environment) as server:
            yield server


def test_what_one_worker_publishes_reaches_the_streams_of_all(workers: CarboyServer) -> None:
    with ExitStack() as stack:
        streams: dict[int, Stream] = {}
        while len(streams) < 2:
            stream = stack.enter_context(following(workers, "topics/orders"))
            told = stream.next()
            assert told["number"] == 0
            streams[told["pid"]] = stream
        # Whichever worker is asked, the streams of the other one are told too.
        for number in range(1, 4):
            ask(workers, "POST", "topics/others")
            ask(workers, "POST", "topics/orders")
            assert {pid: stream.next() for pid, stream in streams.items()} == {
                pid: {"number": number, "pid": pid} for pid in streams
            }


def test_a_stream_where_nothing_happens_has_heartbeats_and_goes_on_where_its_client_was(workers: CarboyServer) -> None:
    with following(workers, "topics/quiet") as stream:
        assert stream.next()["number"] == 0
        began = time.monotonic()
        for _ in range(3):
            stream.next_heartbeat()
        assert time.monotonic() - began >= 0.3
        ask(workers, "POST", "topics/quiet")
        assert stream.next()["number"] == 1
    with following(workers, "topics/quiet", last=stream.last_id) as stream:
        assert stream.next()["number"] == 2


def test_a_client_that_leaves_is_noticed(workers: CarboyServer) -> None:
    with following(workers, "topics/left") as stream:
        pid = stream.next()["pid"]
        has_one = {"pid": pid, "streams": 1}
        wait_for(lambda: ask(workers, "GET", "process").json() == has_one, "The stream is not counted")
    has_none = {"pid": pid, "streams": 0}
    wait_for(lambda: ask(workers, "GET", "process").json() == has_none, "The stream outlives its client")


def test_a_server_on_sqlite_runs_the_jobs_that_its_streams_follow_and_ends_both_when_it_is_told_to(
    migrated_database: Path, tmp_path: Path
) -> None:
    environment = HURRIED | migrated_copy(migrated_database, tmp_path) | {"CARBOY_JOBS__EMBEDDED": "true"}
    with serve((*HYPERCORN[:-1], APP), environment) as server:
        path = f"jobs/{ask(server, 'POST', 'jobs').json()['job_id']}"
        with following(server, path) as stream:
            told = list(iter(stream.next, None))
        assert told[-1]["state"] == "done"
        assert (told[-1]["progress"], told[-1]["progress_text"]) == (1, "20 of 20")
        assert ask(server, "GET", "process").json()["streams"] == 0
        with server.client() as client:
            answer = client.get(f"/api/streams/{path}", headers={"Last-Event-ID": stream.last_id or ""})
        assert answer.status_code == 204
        with following(server, "topics/orders") as stream:
            assert stream.next()["number"] == 0
            server.signal(signal.SIGTERM)
            assert stream.next() is None
        assert len(stream.retries) == 2
        # It is told when to come to another server.
        assert 1000 <= stream.retries[-1] <= 3000
        assert server.wait() == 0, server.output()
