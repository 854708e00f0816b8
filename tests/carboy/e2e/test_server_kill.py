"""A server that is killed loses nothing that it has acknowledged."""

import sqlite3
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import httpx
from support.carboy_server import HYPERCORN, CarboyServer, database_file, serve, wait_for
from support.users import registration

KILLS = 2
"""`make torture` kills it twenty times."""
WRITERS = 4
WRITES = 40


def write_until_killed(server: CarboyServer, name: str, acknowledged: list[str], enough: threading.Event) -> None:
    """Register one user after the other, and note each whose registration was answered."""
    with server.client() as client:
        number = 0
        while True:
            number += 1
            try:
                answer = client.post("/api/users", json=registration(f"{name}-{number}"))
            except httpx.TransportError:
                return
            if answer.status_code == 201:
                acknowledged.append(f"{name}-{number}")
            if len(acknowledged) >= WRITES:
                enough.set()


def usernames(client: httpx.Client) -> set[str]:
    page = client.get("/api/users", params={"limit": 200}).json()
    found = {user["username"] for user in page["items"]}
    while page["next_cursor"] is not None:
        page = client.get("/api/users", params={"limit": 200, "cursor": page["next_cursor"]}).json()
        found |= {user["username"] for user in page["items"]}
    return found


def test_every_acknowledged_user_is_there_after_a_kill(environment: Mapping[str, str]) -> None:
    acknowledged: list[str] = []
    for kill in range(KILLS):
        enough = threading.Event()
        of_this_run: list[str] = []
        with serve(HYPERCORN, environment) as server, ThreadPoolExecutor(WRITERS) as threads:
            writers = [
                threads.submit(write_until_killed, server, f"{kill}-{writer}", of_this_run, enough)
                for writer in range(WRITERS)
            ]
            wait_for(enough.is_set, "The writers make no progress")
            server.kill()
        for writer in writers:
            writer.result()
        acknowledged += of_this_run

    assert len(acknowledged) >= KILLS * WRITES
    with serve(HYPERCORN, environment) as server, server.client() as client:
        assert set(acknowledged) <= usernames(client)
    with closing(sqlite3.connect(database_file(environment))) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
