"""The request's id and default security headers for each answer; OPTIONS answers 204 with Allow."""

from typing import Any

from flask import Flask, Response

from carboy.web.application import current_request

DEFAULTS = {
    # A browser takes an answer for what its Content-Type says, and for nothing else.
    "X-Content-Type-Options": "nosniff",
    # Whatever gets into an answer, a browser neither runs it nor shows it in a frame. A page says what it needs itself.
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    # An answer is for the one who asked: no cache that is shared may keep it (private). The client's own may, but must
    # ask before each use (no-cache): with the ETag as If-None-Match, an unchanged answer is a 304 without a body.
    # no-store would be safer still, but would leave nothing to ask with; answers that hold secrets set it themselves.
    "Cache-Control": "private, no-cache",
}
"""What an answer gets unless the view, or its blueprint, has set a header of that name."""

TLS_ALONE = ("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
"""What an answer over TLS gets besides: a browser then asks this host over TLS alone (ASVS 5.0 3.4.1, RFC 6797)."""

PATCH_TYPES = "application/merge-patch+json, application/json"
"""What a PATCH may send, told to whoever asks for the methods (RFC 5789 section 3.1)."""

_DEFAULTS = [(name.lower(), name, value) for name, value in DEFAULTS.items()]


def init_app(app: Flask) -> None:
    """Add the headers, and answer OPTIONS with 204: Flask's own answer is an empty HTML page."""
    app.after_request(_add_defaults)
    make_options = app.make_default_options_response

    def options(*args: Any) -> Response:
        # Flask 3.2 passes its context.
        response = make_options(*args)
        response.status_code = 204
        # Flask lists them as they come, differently in each process.
        response.headers["Allow"] = ", ".join(sorted(response.allow))
        if "PATCH" in response.allow:
            response.headers["Accept-Patch"] = PATCH_TYPES
        del response.headers["Content-Type"]
        return response

    app.make_default_options_response = options  # type: ignore[method-assign]


def _add_defaults(response: Response) -> Response:
    headers, request = response.headers, current_request()
    # One look at all headers: asking for each name would cost four times as much.
    present = {name.lower() for name, _ in headers}
    for lower, name, value in _DEFAULTS:
        if lower not in present:
            headers.add(name, value)
    if "x-request-id" in present:
        headers.remove("X-Request-ID")
    headers.add("X-Request-ID", request.id)
    if request.environ["wsgi.url_scheme"] == "https" and TLS_ALONE[0].lower() not in present:
        headers.add(*TLS_ALONE)
    return response
