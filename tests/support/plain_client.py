"""A client of HTTP/1.1 that costs little, so that two processors are left to those that are tested."""

import asyncio
from contextlib import suppress
from typing import Self

from support.accounts import HEADER_LINE


class PlainClient:
    """One connection, which is kept as long as the server lets it be kept. It sends each request once.

    Args:
        host: The server's.
        port: Likewise.
    """

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    @classmethod
    def of(cls, url: str) -> Self:
        host, _, port = url.removeprefix("http://").partition(":")
        return cls(host, int(port))

    async def request(self, method: str, path: str, body: bytes = b"") -> int:
        """Send a request and return the status of its answer.

        Raises:
            OSError, asyncio.IncompleteReadError: The connection was not opened, or ended before the answer did.
        """
        if self._writer is None:
            self._reader, self._writer = await asyncio.open_connection(self._host, self._port)
        assert self._reader is not None
        kind = b"content-type: application/json\r\n" if body else b""
        head = f"{method} {path} HTTP/1.1\r\nhost: {self._host}\r\ncontent-length: {len(body)}\r\n".encode()
        self._writer.write(head + HEADER_LINE + kind + b"\r\n" + body)
        try:
            answer = (await self._reader.readuntil(b"\r\n\r\n")).lower()
            await self._read_body(self._reader, answer)
        except BaseException:
            await self.close()
            raise
        if b"connection: close" in answer:
            await self.close()
        return int(answer.split(b" ", 2)[1])

    async def _read_body(self, reader: asyncio.StreamReader, head: bytes) -> None:
        if b"transfer-encoding: chunked" in head:
            while size := int((await reader.readuntil(b"\r\n")).strip(), 16):
                await reader.readexactly(size + 2)
            await reader.readexactly(2)
        elif b"content-length: " in head:
            await reader.readexactly(int(head.partition(b"content-length: ")[2].partition(b"\r")[0]))

    async def close(self) -> None:
        if self._writer is not None:
            writer, self._writer = self._writer, None
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.close()
