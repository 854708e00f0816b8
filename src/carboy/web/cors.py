"""Lets pages of the configured origins use the API (CORS, Fetch Standard section 3.2).

Flask-CORS serves neither this well nor this fast; docs/adr/0004-libraries.md says in what.
"""

from flask import Flask, Response

from carboy.config.settings import HttpSettings
from carboy.web.application import current_request

REQUEST_HEADERS = (
    "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, traceparent, tracestate, X-Request-ID"
)
"""What a page may send: tokens and traces too (W3C Trace Context), but no cookies, as none authenticates a route."""

RESPONSE_HEADERS = (
    "Deprecation, ETag, Idempotency-Replayed, Link, Location, RateLimit, RateLimit-Policy, Retry-After, Sunset,"
    " WWW-Authenticate, X-Request-ID"
)
"""What a page may read, beside what every page may."""

PREFLIGHT_SECONDS = "600"
"""How long a browser need not ask again, and so how long it may overlook that an origin is no longer allowed."""


def init_app(app: Flask, settings: HttpSettings) -> None:
    """Allow the configured origins under /api. Without any, nothing is added to a request."""
    origins = frozenset(settings.cors_origins)

    def allow(response: Response) -> Response:
        request = current_request()
        if not request.path.startswith("/api/"):
            return response
        headers = response.headers
        # Also for refused origins, or a cache would give their answer to allowed ones.
        headers.add("Vary", "Origin")
        # As it came: two origins in one request arrive joined by a comma, which no configured one has.
        origin = request.environ.get("HTTP_ORIGIN")
        if origin not in origins:
            return response
        headers.add("Access-Control-Allow-Origin", origin)
        headers.add("Access-Control-Expose-Headers", RESPONSE_HEADERS)
        if request.method == "OPTIONS" and "Allow" in headers:
            headers.add("Access-Control-Allow-Methods", headers["Allow"])
            headers.add("Access-Control-Allow-Headers", REQUEST_HEADERS)
            headers.add("Access-Control-Max-Age", PREFLIGHT_SECONDS)
        return response

    if origins:
        app.after_request(allow)
