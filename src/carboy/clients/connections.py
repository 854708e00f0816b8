"""The connections to other people's APIs: one pool for all clients of a process."""

import ssl
import weakref
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Protocol

import httpx2

from carboy.clients.addresses import pinned
from carboy.clients.breaker import CircuitBreaker
from carboy.clients.redirects import is_same_origin, redirected
from carboy.config.settings import ClientSettings
from carboy.telemetry.propagation import outgoing_headers
from carboy.telemetry.tracing import current_spans, span


class AnswerTooLargeError(Exception):
    """An answer is larger than `clients.max_answer_bytes`."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, read whole."""

    status: int
    headers: httpx2.Headers
    body: bytes


class Client(Protocol):
    """What can be told of a client of an API."""

    @property
    def name(self) -> str: ...

    outcomes: Counter[str]
    breaker: CircuitBreaker


class HttpClient:
    """Sends requests to other servers over one pool of connections, which closes with the application.

    No cookies are kept, as those of one user's call would go with another's. Neither proxies nor the passwords of
    .netrc are taken from the environment, only the authorities of SSL_CERT_FILE.

    Args:
        settings: The time-outs, and how much of an answer is read.
        transport: Answers in place of the network, in tests.
    """

    def __init__(self, settings: ClientSettings, transport: httpx2.AsyncBaseTransport | None = None) -> None:
        self.settings = settings
        self._transport = transport
        self._is_open = False
        self._clients: list[weakref.ref[Client]] = []

    def add(self, client: Client) -> None:
        """Remember a client as long as it is there, for what watches all of them."""
        self._clients = [one for one in self._clients if one() is not None]
        self._clients.append(weakref.ref(client))

    def clients(self) -> list[Client]:
        """Return the clients that there are. It may be called from any thread."""
        return [client for one in self._clients if (client := one()) is not None]

    def open(self) -> None:
        self._is_open = True

    async def close(self) -> None:
        self._is_open = False
        client = self.__dict__.pop("_client", None)
        if client is not None:
            await client.aclose()

    async def send(self, request: httpx2.Request, *, redirects: int = 0) -> Reply:
        """Send a request and read its answer.

        Args:
            request: What to send.
            redirects: How many redirects to follow. Those of GET and HEAD are, to other servers at public addresses
                only, without credentials, and never from HTTPS to HTTP.

        Raises:
            httpx2.TransportError: The answer did not come, or not whole.
            ForbiddenAddressError: A redirect leads where none may lead.
            AnswerTooLargeError: The answer is too large.
        """
        if not self._is_open:
            raise RuntimeError("The HTTP client is not open: the application's lifespan opens it.")
        origin = request.url
        request.extensions = request.extensions | {"timeout": self._timeout.as_dict()}
        reply = await self._exchange(self._client, request)
        for _ in range(redirects):
            following = redirected(request, httpx2.Response(reply.status, headers=reply.headers))
            if following is None:
                break
            if is_same_origin(following.url, origin):
                reply = await self._exchange(self._client, following)
            else:
                reply = await self._exchange_elsewhere(following)
            request = following
        return reply

    async def _exchange_elsewhere(self, request: httpx2.Request) -> Reply:
        # Not from the pool: it keeps connections by address, and this one's certificate was checked for another host.
        async with self._new_client() as client:
            return await self._exchange(client, await pinned(request))

    async def _exchange(self, client: httpx2.AsyncClient, request: httpx2.Request) -> Reply:
        told = {"http.request.method": request.method, "server.address": request.url.host}
        with span(f"{request.method} {request.url.host}", "client", **told) as here:
            if current_spans() is not None:
                # They name this span: each attempt has one.
                request.headers.update(outgoing_headers())
            reply = await self._read(client, request)
            here.set_attribute("http.response.status_code", reply.status)
            return reply

    async def _read(self, client: httpx2.AsyncClient, request: httpx2.Request) -> Reply:
        response = await client.send(request, stream=True)
        try:
            body = bytearray()
            # Decoded by pieces of at most 1 MiB, so that no compressed answer can fill the memory.
            async for piece in response.aiter_bytes():
                body += piece
                if len(body) > self.settings.max_answer_bytes:
                    raise AnswerTooLargeError(f"the answer has more than {self.settings.max_answer_bytes} bytes")
            return Reply(response.status_code, response.headers, bytes(body))
        finally:
            await response.aclose()

    @property
    def _timeout(self) -> httpx2.Timeout:
        seconds = self.settings
        return httpx2.Timeout(seconds.read_timeout, connect=seconds.connect_timeout, pool=None)

    @cached_property
    def _client(self) -> httpx2.AsyncClient:
        # Made with the first call, as the certificates of authorities take 20 ms to read.
        return self._new_client()

    def _new_client(self) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(
            transport=self._transport,
            verify=self._certificates,
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            # Each client limits its own calls, so that one API which hangs holds up no other.
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=100),
            trust_env=False,
        )

    @cached_property
    def _certificates(self) -> ssl.SSLContext:
        return httpx2.create_ssl_context()
