"""Flask, Request and Response subclasses: request ids, faster routing and responses."""

import random
import re
import time
from collections.abc import Callable, Iterable
from functools import cached_property
from io import BytesIO
from operator import methodcaller
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import quote

import flask
from flask.json.provider import DefaultJSONProvider
from flask.sessions import NullSession, SecureCookieSession, SecureCookieSessionInterface
from werkzeug.datastructures import Headers
from werkzeug.exceptions import RequestEntityTooLarge, SecurityError
from werkzeug.formparser import FormDataParser
from werkzeug.http import parse_date, parse_if_range_header
from werkzeug.routing import MapAdapter
from werkzeug.sansio.utils import get_current_url

from carboy.bridge.urls import MAX_HOST, UrlBinding
from carboy.security.actor import Actor
from carboy.web.rules import LazyRule

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
"""What is taken over from X-Request-ID; anything else could be made to look like a line of the log."""

READERS: dict[str, Callable[[str], object]] = {
    # It fails at others than ASCII, and all credentials are that (RFC 9110 section 11.4).
    "HTTP_AUTHORIZATION": methodcaller("encode", "ascii"),
    "HTTP_DATE": parse_date,
    "HTTP_IF_MODIFIED_SINCE": parse_date,
    "HTTP_IF_RANGE": parse_if_range_header,
    "HTTP_IF_UNMODIFIED_SINCE": parse_date,
}
"""The headers at whose values werkzeug may fail, such as a date in the year 9999999999, and what reads them there."""

ASCII = bytes(range(128))


class FormParser(FormDataParser):
    """Applies `MAX_FORM_PARTS` to every form; werkzeug applies it to multipart forms only."""

    def parse(
        self, stream: IO[bytes], mimetype: str, content_length: int | None, options: dict[str, str] | None = None
    ) -> Any:
        if mimetype == "application/x-www-form-urlencoded" and self.max_form_parts is not None:
            content = stream.read()
            if content.count(b"&") >= self.max_form_parts:
                raise RequestEntityTooLarge
            stream = BytesIO(content)
        return super().parse(stream, mimetype, content_length, options)


class JsonProvider(DefaultJSONProvider):
    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        try:
            return super().loads(s, **kwargs)
        except RecursionError as error:
            # JSON nested too deeply is reported like malformed JSON.
            raise ValueError("nested too deeply") from error


class Request(flask.Request):
    """A request with an id, which its response, its problems and its log lines repeat.

    A malformed header counts as missing, as RFC 9110 wants for dates (section 13.1).
    """

    form_data_parser_class = FormParser

    def __init__(self, environ: "WSGIEnvironment", *args: Any, **kwargs: Any) -> None:
        # Most requests have none of them.
        for name in READERS.keys() & environ.keys():
            _drop_unreadable(environ, name, READERS[name])
        super().__init__(environ, *args, **kwargs)
        self.started = time.perf_counter()
        given = environ.get("HTTP_X_REQUEST_ID")
        self.id: str = given if given and REQUEST_ID.fullmatch(given) else f"{random.getrandbits(128):032x}"
        """The client's X-Request-ID if that is well-formed, otherwise 128 random bits in hexadecimal."""
        self.actor: Actor | None = None
        """Who acts; None before that is found out, and where nobody asks."""
        self.page_session: Any = None
        """The `carboy.web.pages.PageSession` of a page; None if the browser has none."""
        if not self.query_string.isascii():
            self.query_string = _in_utf_8(self.query_string)

    @cached_property
    def stream(self) -> IO[bytes]:
        """The body, counted while it is read unless it comes by the bridge, which has counted it."""
        length = self.environ.get("CONTENT_LENGTH")
        if self.shallow or length is None or "asgi.scope" not in self.environ:
            return super().stream
        limit = self.max_content_length
        return self.environ["wsgi.input"] if limit is None or int(length) <= limit else super().stream


def _in_utf_8(query: bytes) -> bytes:
    """Percent-encode a query that holds other bytes than UTF-8: werkzeug reads those in this form only."""
    try:
        query.decode()
    except UnicodeDecodeError:
        return quote(query, safe=ASCII).encode()
    return query


def _drop_unreadable(environ: "WSGIEnvironment", name: str, read: Callable[[str], object]) -> None:
    try:
        read(environ[name])
    except (ValueError, OverflowError):
        del environ[name]
        if name == "HTTP_IF_RANGE":
            # Its condition does not hold, so that the whole is to be sent.
            environ.pop("HTTP_RANGE", None)


class JsonResponse(flask.Response):
    """A JSON response with complete headers and a whole body; not for statuses without a body."""

    default_mimetype = "application/json"
    has_callbacks = False
    """Whether something is to be called once it has been sent."""

    def call_on_close(self, func: Callable[[], Any]) -> Callable[[], Any]:
        self.has_callbacks = True
        return super().call_on_close(func)

    def get_wsgi_headers(self, environ: "WSGIEnvironment") -> Headers:  # noqa: ARG002 - its signature is werkzeug's.
        return self.headers

    def get_app_iter(self, environ: "WSGIEnvironment") -> Iterable[bytes]:
        if self.has_callbacks or not self.is_sequence or environ["REQUEST_METHOD"] == "HEAD":
            return super().get_app_iter(environ)
        # Without the iterator whose end the callbacks wait for.
        return list(self.iter_encoded())


def current_request() -> Request:
    """Return the current request itself; Flask's proxy looks it up on every access."""
    request: Request = flask.request._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001 - werkzeug documents it.
    return request


class SessionInterface(SecureCookieSessionInterface):
    """Gives all requests of an application without a secret key one null session, as nothing can be written to it."""

    def __init__(self) -> None:
        self._null = NullSession()

    def open_session(self, app: flask.Flask, request: flask.Request) -> SecureCookieSession | None:
        return super().open_session(app, request) if app.secret_key else self._null


class Application(flask.Flask):
    """Flask with `Request`, with a shorter way to a route, and with rules that are added faster."""

    request_class = Request
    url_rule_class = LazyRule
    session_interface = SessionInterface()
    json_provider_class = JsonProvider

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._urls = StrictUrlBinding(self)

    def create_url_adapter(self, request: flask.Request | None) -> MapAdapter | None:
        if request is None or self._urls.is_by_host():
            return super().create_url_adapter(request)
        return self._urls.bind(request)


class StrictUrlBinding(UrlBinding):
    """Refuses a host that cannot be part of a URL."""

    def find_host(
        self, scheme: str, header: str | None, server: tuple[str, int | None], trusted: tuple[str, ...] | None
    ) -> tuple[str, str]:
        if header is not None and len(header) > MAX_HOST:
            raise SecurityError
        found = super().find_host(scheme, header, server, trusted)
        try:
            get_current_url(scheme, found[0])
        except ValueError as error:
            # A label may be too long, for one.
            raise SecurityError from error
        return found
