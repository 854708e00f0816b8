"""The base class of clients of third-party HTTP APIs."""

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping
from typing import Any, ClassVar, TypeVar
from urllib.parse import quote

import httpx2
from pydantic import TypeAdapter, ValidationError

from carboy.clients.attempts import check_status, is_outage, telling_apart
from carboy.clients.breaker import CircuitBreaker
from carboy.clients.connections import HttpClient, Reply
from carboy.clients.errors import UpstreamError
from carboy.clients.retries import IDEMPOTENT_METHODS, attempts
from carboy.errors import CarboyError
from carboy.telemetry.propagation import outgoing_headers

AnswerT = TypeVar("AnswerT")
Errors = Mapping[int, type[CarboyError]]
"""What to raise for a status, such as a 404 that means something."""

_log = logging.getLogger(__name__)


class ApiClient:
    """Base class of clients of third-party HTTP APIs.

    Each has a circuit breaker and a limit of calls at once, so that an API that is down or slow costs the rest of the
    application nothing. Call none within a unit of work: it would hold its connection to the database meanwhile.

    Args:
        http: The connections that all clients share.
        base_url: Where the API is. It may be in our own network, as it comes from the configuration.
        headers: What goes with every request, such as a key; never to another server.

    Attributes:
        breaker: The circuit breaker; its ``state`` is for metrics.
        outcomes: How many calls ended how: ``ok``, or the code of the error; ``retries`` are the repeated attempts.
    """

    name: ClassVar[str]
    """What logs, metrics and the readiness report call it."""
    max_redirects: ClassVar[int] = 0
    """How many redirects are followed, of GET and HEAD and to public addresses only."""
    total_timeout: ClassVar[float | None] = None
    """Seconds that a call may take, its retries included; `clients.total_timeout` unless it is given."""

    def __init__(self, http: HttpClient, base_url: str, headers: Mapping[str, str] | None = None) -> None:
        self._http = http
        self._base_url = base_url.rstrip("/")
        self._headers = dict(headers or {})
        self._settings = http.settings
        if self.total_timeout is not None:
            self._settings = http.settings.model_copy(update={"total_timeout": self.total_timeout})
        self._turns = asyncio.Semaphore(http.settings.max_calls)
        self.breaker = CircuitBreaker(http.settings.breaker_failures, http.settings.breaker_open_seconds, is_outage)
        self.outcomes: Counter[str] = Counter()
        http.add(self)

    async def ping(self) -> str | None:
        """Tell readiness, without asking the API, whether it is known to be down."""
        return "unavailable" if self.breaker.state == "open" else None

    async def get(
        self,
        *path: str,
        answer: type[AnswerT],
        params: Mapping[str, str | int] | None = None,
        errors: Errors | None = None,
    ) -> AnswerT:
        """Read something. See `send` for the arguments and errors."""
        return self.read(await self.send("GET", *path, params=params, errors=errors), answer)

    async def post(
        self,
        *path: str,
        answer: type[AnswerT],
        json: Any = None,
        idempotency_key: str | None = None,
        errors: Errors | None = None,
    ) -> AnswerT:
        """Create or do something. See `send` for the arguments and errors."""
        reply = await self.send("POST", *path, json=json, idempotency_key=idempotency_key, errors=errors)
        return self.read(reply, answer)

    async def send(
        self,
        method: str,
        *path: str,
        params: Mapping[str, str | int] | None = None,
        json: Any = None,
        idempotency_key: str | None = None,
        errors: Errors | None = None,
    ) -> Reply:
        """Call the API, again if that may help, and return its answer.

        Args:
            method: The HTTP method.
            *path: The segments of the path; each is encoded, so that a value from outside stays one segment.
            params: The query.
            json: The body.
            idempotency_key: Sent as ``Idempotency-Key``; with it the API does a POST or PATCH once, however often it is
                sent, so that it is repeated like other methods.
            errors: What to raise for a status instead of an `UpstreamError`.

        Raises:
            UpstreamError: The answer was an error, broken or too large (502).
            UpstreamUnavailableError: The API is down or busy (503).
            UpstreamTimeoutError: It did not answer within the time-outs (504).
            ValueError: A segment of the path is empty or made of dots.
        """
        more = {"Idempotency-Key": idempotency_key} if idempotency_key is not None else {}
        request = self._request(method, path, params, json, more)
        may_repeat = method in IDEMPOTENT_METHODS or idempotency_key is not None
        try:
            reply = await self._call(request, may_repeat=may_repeat)
        except UpstreamError as error:
            raise self._failed(error, errors or {}) from error.__cause__
        self.outcomes["ok"] += 1
        return reply

    def read(self, reply: Reply, answer: type[AnswerT]) -> AnswerT:
        """Return an answer's JSON as a value of a type.

        Raises:
            UpstreamError: It is not what the type says.
        """
        try:
            value: AnswerT = TypeAdapter(answer).validate_json(reply.body)
        except ValidationError as error:
            # Its places and kinds, not its values, which may be personal.
            wrong = error.errors(include_url=False, include_context=False, include_input=False)
            _log.warning("%s answers what is not expected: %s", self.name, wrong)
            raise UpstreamError(status=reply.status) from None
        return value

    async def _call(self, request: httpx2.Request, *, may_repeat: bool) -> Reply:
        deadline = asyncio.get_running_loop().time() + self._settings.total_timeout
        with telling_apart():
            async with asyncio.timeout_at(deadline):
                await self._turns.acquire()
        try:
            async for attempt in attempts(self._settings, deadline, may_repeat=may_repeat):
                with attempt:
                    self.outcomes["retries"] += attempt.num > 1
                    return await self._attempt(request, deadline)
        finally:
            self._turns.release()
        raise AssertionError("the last attempt raises or returns")

    async def _attempt(self, request: httpx2.Request, deadline: float) -> Reply:
        # The circuit sees the errors that the inner one makes; the outer one is for the circuit's own.
        with telling_apart(), self.breaker.call(), telling_apart():
            async with asyncio.timeout_at(deadline):
                reply = await self._http.send(request, redirects=self.max_redirects)
            check_status(reply)
            return reply

    def _request(
        self, method: str, path: tuple[str, ...], params: Mapping[str, Any] | None, json: Any, more: Mapping[str, str]
    ) -> httpx2.Request:
        own = {"User-Agent": self._settings.user_agent, "Accept": "application/json", "Accept-Encoding": "gzip"}
        return httpx2.Request(
            method,
            "/".join([self._base_url, *map(_segment, path)]),
            params=params,
            json=json,
            headers={**own, **outgoing_headers(), **self._headers, **more},
        )

    def _failed(self, error: UpstreamError, errors: Errors) -> CarboyError:
        """Count and log what a call has come to, and return what to raise."""
        meant = errors.get(error.upstream_status) if error.upstream_status is not None else None
        if meant is not None:
            self.outcomes["ok"] += 1
            return meant()
        self.outcomes[error.code] += 1
        _log.warning("%s: %s, status %s: %r", self.name, error.code, error.upstream_status, error.__cause__)
        return error


def _segment(text: str) -> str:
    if text.strip(".") == "":
        raise ValueError("A segment of a path must not be empty or made of dots, which would lead elsewhere.")
    return quote(text, safe="")
