"""A TCP proxy that fails as networks and servers do, when a test tells it to."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import make_url

HOST = "127.0.0.1"


class Proxy:
    """Passes connections on to a server.

    Attributes:
        url: The server's URL, by way of this proxy.
        sent: All bytes that clients have sent.
        connections: How many connections were accepted.
        is_silent: Accept connections and bytes, and pass nothing on: a black hole.
        cut_at: Cut a connection when these bytes come from its client, before they are passed on.
    """

    def __init__(self, url: str) -> None:
        target = make_url(url)
        self._target = (target.host or HOST, target.port or 5432)
        self._target_url = target
        self._server: asyncio.Server | None = None
        self._port = 0
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.sent = bytearray()
        self.connections = 0
        self.is_silent = False
        self.cut_at: bytes | None = None

    @property
    def url(self) -> str:
        # Unencrypted, so that what is sent can be read here.
        proxied = self._target_url.set(host=HOST, port=self._port, query={"ssl": "disable"})
        return proxied.render_as_string(hide_password=False)

    def sent_messages(self) -> list[str]:
        """Tell the types of the messages that one client has sent since `sent` was cleared: "Q" is a query, "S" a Sync.

        Each message is a type of one byte and a length of four, which counts itself. To look for their bytes would
        not do, as parameters may hold the same.

        Source: PostgreSQL's documentation, "Frontend/Backend Protocol", "Message Formats".
        """
        types, rest = [], bytes(self.sent)
        while rest:
            types.append(chr(rest[0]))
            rest = rest[1 + int.from_bytes(rest[1:5]) :]
        return types

    async def listen(self) -> None:
        """Accept connections, always at the same port."""
        self._server = await asyncio.start_server(self._accept, HOST, self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    def refuse(self) -> None:
        """Refuse connections from now on, as a server does that is down. Those that are open stay so."""
        if self._server is not None:
            self._server.close()

    def cut(self) -> None:
        """Cut all open connections, as a server does that restarts."""
        for writer in list(self._writers):
            writer.transport.abort()

    async def close(self) -> None:
        self.refuse()
        self.cut()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        self._start(reader, writer)

    def _start(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_connection(*self._target)
        self._writers.add(server_writer)
        try:
            await asyncio.gather(
                self._pass_on(reader, server_writer, is_client=True),
                self._pass_on(server_reader, writer, is_client=False),
            )
        finally:
            for end in (writer, server_writer):
                end.transport.abort()
                self._writers.discard(end)

    async def _pass_on(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, is_client: bool) -> None:
        try:
            while data := await source.read(65536):
                if is_client:
                    self.sent += data
                    if self.cut_at is not None and self.cut_at in data:
                        self.cut()
                        return
                if not self.is_silent:
                    sink.write(data)
        except ConnectionError:
            pass
        finally:
            sink.transport.abort()


@asynccontextmanager
async def proxy_to(url: str) -> AsyncIterator[Proxy]:
    """Yield a proxy to the server that a database URL names."""
    proxy = Proxy(url)
    await proxy.listen()
    try:
        yield proxy
    finally:
        await proxy.close()
