"""Speaks ASGI to an application, message by message, with no server and no socket between."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Self, TypeVar, cast
from urllib.parse import unquote

from asgiref.typing import ASGIReceiveEvent, ASGISendEvent, HTTPScope, LifespanScope

T = TypeVar("T")
App = Callable[..., Awaitable[None]]
Header = tuple[bytes, bytes]

PATIENCE = 20.0
"""Seconds after which whoever waits for something gives up: a test that fails then has found a hang."""


async def within(awaitable: Awaitable[T], seconds: float = PATIENCE) -> T:
    return await asyncio.wait_for(awaitable, seconds)


async def eventually(condition: Callable[[], object]) -> None:
    """Wait for what happens in another thread, and tells nobody."""

    async def watch() -> None:
        while not condition():  # noqa: ASYNC110 - there is no event to wait for.
            await asyncio.sleep(0.001)

    await within(watch())


def http_scope(target: str = "/", method: str = "GET", headers: Iterable[Header] = (), **changes: Any) -> HTTPScope:
    """Build the scope that hypercorn would build; a change to None leaves the key out."""
    raw_path, _, query = target.encode().partition(b"?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(raw_path.decode(), errors="replace"),
        "raw_path": raw_path,
        "query_string": query,
        "root_path": "",
        "headers": [(b"host", b"testserver"), *headers],
        "client": ("192.0.2.7", 50000),
        "server": ("192.0.2.1", 8000),
        "state": {},
        "extensions": {},
    } | changes
    return cast("HTTPScope", {key: value for key, value in scope.items() if value is not None})


@dataclass
class Answer:
    """What an application has sent so far."""

    messages: list[ASGISendEvent] = field(default_factory=list)

    @property
    def started(self) -> bool:
        return bool(self.messages)

    @property
    def status(self) -> int:
        return int(cast("Any", self.messages[0])["status"])

    @property
    def headers(self) -> list[Header]:
        return list(cast("Any", self.messages[0])["headers"])

    def header(self, name: str) -> str | None:
        values = self.all_headers(name)
        return values[0] if values else None

    def all_headers(self, name: str) -> list[str]:
        return [value.decode("latin-1") for key, value in self.headers if key == name.lower().encode()]

    @property
    def chunks(self) -> list[bytes]:
        """The non-empty chunks of the body."""
        bodies = [cast("Any", message).get("body", b"") for message in self.messages[1:]]
        return [body for body in bodies if body]

    @property
    def body(self) -> bytes:
        return b"".join(self.chunks)

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def complete(self) -> bool:
        return len(self.messages) > 1 and not cast("Any", self.messages[-1]).get("more_body", False)


class Conversation:
    """One request, during which the client may stall or leave.

    Args:
        app: The ASGI application.
        scope: The request.
        chunks: The request body. None sends no message at all: the test speaks through `say`.
        slow: Makes each `send` of the application wait for `take`.
    """

    def __init__(
        self, app: App, scope: HTTPScope, *, chunks: Sequence[bytes] | None = (b"",), slow: bool = False
    ) -> None:
        self._app = app
        self._scope = scope
        self._incoming: asyncio.Queue[ASGIReceiveEvent] = asyncio.Queue()
        self._taken = asyncio.Semaphore(0) if slow else None
        self._changed = asyncio.Event()
        self.answer = Answer()
        self.received = 0
        self.offered = 0
        self.outer: asyncio.Task[None] | None = None
        for number, chunk in enumerate(chunks or (), 1):
            self.say(chunk, more=number < len(chunks or ()))

    def start(self) -> Self:
        self.outer = asyncio.ensure_future(self._call())
        self.outer.add_done_callback(lambda _: self._changed.set())
        return self

    async def _call(self) -> None:
        await self._app(self._scope, self._receive, self._send)

    async def _receive(self) -> ASGIReceiveEvent:
        self.received += 1
        self._changed.set()
        return await self._incoming.get()

    async def _send(self, message: ASGISendEvent) -> None:
        self.offered += 1
        self._changed.set()
        if self._taken is not None:
            await self._taken.acquire()
        self.answer.messages.append(message)
        self._changed.set()

    def say(self, body: bytes = b"", *, more: bool = False) -> None:
        self._incoming.put_nowait({"type": "http.request", "body": body, "more_body": more})

    def leave(self) -> None:
        self._incoming.put_nowait({"type": "http.disconnect"})

    def take(self) -> None:
        """Let one `send` of the application return."""
        assert self._taken is not None
        self._taken.release()

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until what the application sent fulfils a condition."""

        async def watch() -> None:
            while not condition():
                self._changed.clear()
                await self._changed.wait()

        await within(watch())

    async def until_offered(self, count: int) -> None:
        """Wait until so many messages have been sent, taken or not, or the application has returned."""
        await self.until(lambda: self.offered >= count or (self.outer is not None and self.outer.done()))

    async def end(self) -> Answer:
        """Wait for the application to return, and return what it sent."""
        assert self.outer is not None
        await within(self.outer)
        return self.answer


async def ask(
    app: App,
    target: str = "/",
    *,
    method: str = "GET",
    headers: Iterable[Header] = (),
    chunks: Sequence[bytes] = (b"",),
    **changes: Any,
) -> Answer:
    """Make one request and return the whole answer."""
    scope = http_scope(target, method, headers, **changes)
    return await Conversation(app, scope, chunks=chunks).start().end()


class LifespanConversation:
    """What a server and an application say to each other before the first request and after the last."""

    def __init__(self, app: App) -> None:
        self._incoming: asyncio.Queue[Any] = asyncio.Queue()
        self._outgoing: asyncio.Queue[Any] = asyncio.Queue()
        scope: LifespanScope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": {}}
        self.task = asyncio.ensure_future(self._call(app, scope))

    async def _call(self, app: App, scope: LifespanScope) -> None:
        await app(scope, self._incoming.get, self._outgoing.put)

    def say(self, what: str) -> None:
        self._incoming.put_nowait({"type": f"lifespan.{what}"})

    @property
    def silent(self) -> bool:
        return self._outgoing.empty()

    async def answer(self) -> dict[str, Any]:
        message: dict[str, Any] = await within(self._outgoing.get())
        return message


async def shut_down(app: App) -> None:
    """Let an application end as a server does at its own end: after the requests that it gave up, too."""
    server = LifespanConversation(app)
    for what in ("startup", "shutdown"):
        server.say(what)
        assert (await server.answer())["type"] == f"lifespan.{what}.complete"
    await within(server.task)
