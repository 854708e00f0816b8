"""A client of a running server that follows a stream of events."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from support.carboy_server import CarboyServer


@dataclass
class Stream:
    """A client of a stream, which reads one line after the other."""

    lines: Iterator[str]
    heartbeats: int = 0
    retries: list[int] = field(default_factory=list)
    last_id: str | None = None

    def next(self) -> Any:
        """Return the data of the next event; None at the end of the stream."""
        for line in self.lines:
            name, _, value = line.partition(": ")
            self.heartbeats += line == ":"
            if name == "retry":
                self.retries.append(int(value))
            if name == "id":
                self.last_id = value
            if name == "data":
                return json.loads(value)
        return None

    def next_heartbeat(self) -> None:
        for line in self.lines:
            if line == ":":
                return
        raise EOFError("the stream has ended")


@contextmanager
def following(server: CarboyServer, path: str, last: str | None = None) -> Iterator[Stream]:
    """Follow a stream of `support.streaming`, on a connection of its own."""
    headers = {"Accept": "text/event-stream"} | ({} if last is None else {"Last-Event-ID": last})
    with server.client() as client, client.stream("GET", f"/api/streams/{path}", headers=headers) as answer:
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/event-stream")
        yield Stream(answer.iter_lines())


def ask(server: CarboyServer, method: str, path: str) -> httpx.Response:
    """Ask `support.streaming` on a new connection, which any of the workers may take."""
    with server.client() as client:
        return client.request(method, f"/api/streams/{path}").raise_for_status()
