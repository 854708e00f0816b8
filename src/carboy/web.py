"""What Carboy adds to Flask's own classes: an id for each request, and shorter ways in and out."""

import random
import re
import time
from collections.abc import Callable, Iterable
from functools import cached_property, lru_cache
from typing import IO, TYPE_CHECKING, Any, cast

import flask
from werkzeug.datastructures import Headers
from werkzeug.routing import MapAdapter
from werkzeug.sansio.utils import get_host

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
"""What is taken over from X-Request-ID; anything else could be made to look like a line of the log."""


class Request(flask.Request):
    """A request with an id, which stands in its answer, in its problems and in each line of its log."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.started = time.perf_counter()

    @cached_property
    def id(self) -> str:
        """The client's X-Request-ID if that is well-formed, otherwise 128 random bits in hexadecimal."""
        given = self.environ.get("HTTP_X_REQUEST_ID")
        return given if given and REQUEST_ID.fullmatch(given) else f"{random.getrandbits(128):032x}"

    @cached_property
    def stream(self) -> IO[bytes]:
        """The body, counted while it is read unless it comes by the bridge, which has counted it."""
        length = self.environ.get("CONTENT_LENGTH")
        if self.shallow or length is None or "asgi.scope" not in self.environ:
            return super().stream
        limit = self.max_content_length
        return self.environ["wsgi.input"] if limit is None or int(length) <= limit else super().stream


class JsonResponse(flask.Response):
    """A JSON document, whose headers are complete and whose body is whole; a status without a body is not for it."""

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
    """Return the request itself, not its proxy, each use of which looks it up anew."""
    return cast("Request", flask.request._get_current_object())  # type: ignore[attr-defined]  # noqa: SLF001 - werkzeug documents it.


class Application(flask.Flask):
    """Flask with `Request`, and with a shorter way to a route.

    Flask works out host and subdomain anew for each request. Few requests name another host than the last one did, and
    without routing by subdomain or host nothing else of it is needed.
    """

    request_class = Request

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._hosts = lru_cache(maxsize=512)(self._find_host)

    def create_url_adapter(self, request: flask.Request | None) -> MapAdapter | None:
        by_host = self.subdomain_matching or self.url_map.host_matching or self.config["SERVER_NAME"] is not None
        if request is None or by_host:
            return super().create_url_adapter(request)
        environ, trusted = request.environ, self.config["TRUSTED_HOSTS"]
        scheme = environ["wsgi.url_scheme"]
        server = environ["SERVER_NAME"], environ["SERVER_PORT"]
        request.trusted_hosts = trusted
        request.host, server_name = self._hosts(scheme, environ.get("HTTP_HOST"), server, trusted and tuple(trusted))
        return MapAdapter(
            self.url_map,
            server_name,
            request.root_path or "/",
            self.url_map.default_subdomain or "",
            scheme,
            request.path,
            environ["REQUEST_METHOD"],
            request.query_string.decode(errors="replace"),
        )

    def _find_host(
        self, scheme: str, header: str | None, server: tuple[str, int | None], trusted: tuple[str, ...] | None
    ) -> tuple[str, str]:
        """Return a request's host as it was sent, and as routing knows it.

        Raises:
            SecurityError: The host is not one of those that are trusted.
            BadHost: It is no host's name.
        """
        host = get_host(scheme, header, server, trusted)
        return host, self.url_map.bind(host).server_name
