"""Compresses large JSON responses for clients that accept it.

An attacker can learn a secret from the size of a compressed answer if it holds the secret beside text of theirs, and
if they can make the victim's browser ask again and again (BREACH, CVE-2013-3587). A page of theirs cannot ask as the
victim here, as no cookie authenticates a JSON route. Still, an answer with a secret in it, such as a new token, opts
out by ``Cache-Control: no-store``, which it needs anyway, and problem answers, which repeat what was sent, stay as they
are.
"""

from functools import lru_cache

from flask import Flask, Response
from flask_compress import Compress
from werkzeug.datastructures import Accept
from werkzeug.http import parse_accept_header

from carboy.config.settings import HttpSettings
from carboy.web.application import current_request

CODINGS = ("zstd", "br", "gzip")
"""The best first. A strong ETag names its coding, ``"3:gzip"``, as RFC 9110 section 8.8.3.3 wants them to differ."""

OPTIONS = {
    "COMPRESS_ALGORITHM": CODINGS,
    # It happens on the event loop. At these levels 10 KB take 20 to 30 microseconds and 1 MB takes 1 to 4 milliseconds,
    # at the library's own up to twice as long, for at most an eighth less to send.
    "COMPRESS_ZSTD_LEVEL": 1,
    "COMPRESS_BR_LEVEL": 2,
    "COMPRESS_LEVEL": 2,
    # Pages are left out: theirs is the cookie.
    "COMPRESS_MIMETYPES": ["application/json"],
    # A stream is sent as it is made, chunk by chunk.
    "COMPRESS_STREAMS": False,
    # Conditional requests are for the views; here they would add a Date, of which the server sends its own.
    "COMPRESS_EVALUATE_CONDITIONAL_REQUEST": False,
    # Only what is large enough shall reach it, see below.
    "COMPRESS_REGISTER": False,
}

MAY_BE_COMPRESSED = frozenset({200, 201, 304})
"""The statuses whose answer depends on Accept-Encoding. A 304 says the same of itself as the 200 that it stands for."""

MAX_ACCEPT_ENCODING = 256
"""Characters; a longer header is not read: it is no browser's, and 16 KB of it would take 7 milliseconds."""


def init_app(app: Flask, settings: HttpSettings) -> None:
    """Compress answers of at least the configured size."""
    app.config.update(OPTIONS)
    library = Compress()
    library.init_app(app)

    def compress(response: Response) -> Response:
        if response.status_code not in MAY_BE_COMPRESSED:
            return response
        headers = response.headers
        headers.add("Vary", "Accept-Encoding")
        request = current_request()
        header = request.environ.get("HTTP_ACCEPT_ENCODING")
        if not header or headers.get("Content-Length", 0, int) < settings.compress_min_bytes:
            return response
        coding = choose(header) if len(header) <= MAX_ACCEPT_ENCODING else None
        if coding is None or "no-store" in headers.get("Cache-Control", ""):
            return response
        # The library would read gzip;q=0 as a preference.
        request.environ["HTTP_ACCEPT_ENCODING"] = coding
        return library.after_request(response)

    if settings.compress_min_bytes:
        app.after_request(compress)


@lru_cache(maxsize=128)
def choose(header: str) -> str | None:
    """Return the coding that an Accept-Encoding likes best (RFC 9110 section 12.5.3), None if it is none of ours.

    Most clients send one of a few, which are read once.
    """
    accepted = parse_accept_header(header, Accept)
    best = max(CODINGS, key=accepted.quality)
    quality = accepted.quality(best)
    return best if quality > 0 and quality >= accepted.quality("identity") else None
