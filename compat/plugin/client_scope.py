"""Makes of a test client's WSGI environ what an ASGI server would make of the same request."""

from typing import Any
from urllib.parse import quote_from_bytes

Environ = dict[str, Any]

SAFE_IN_A_PATH = "/!$&'()*+,;=:@"
"""What a client leaves unquoted in a path (RFC 3986 section 3.3)."""
SAID_BY_THE_SERVER = {"REQUEST_METHOD", "SCRIPT_NAME", "PATH_INFO", "QUERY_STRING", "REMOTE_ADDR", "REMOTE_PORT"} | {
    "SERVER_NAME",
    "SERVER_PORT",
    "SERVER_PROTOCOL",
    "REQUEST_URI",
    "RAW_URI",
    "CONTENT_TYPE",
    "CONTENT_LENGTH",
}


def make_scope(environ: Environ) -> dict[str, Any]:
    """Return the ASGI scope of a request that a test client makes.

    What a test hands to the application beside the request, and no server could say, is in ``scope["state"]``.
    """
    root, path = (environ.get(key, "").encode("latin-1") for key in ("SCRIPT_NAME", "PATH_INFO"))
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.5"},
        "http_version": environ.get("SERVER_PROTOCOL", "HTTP/1.1").partition("/")[2],
        "method": environ["REQUEST_METHOD"],
        "scheme": environ["wsgi.url_scheme"],
        "path": (root + path).decode("utf-8", "replace"),
        "raw_path": quote_from_bytes(root + path, SAFE_IN_A_PATH).encode("ascii"),
        "root_path": root.decode("utf-8", "replace"),
        "query_string": environ.get("QUERY_STRING", "").encode("latin-1"),
        "headers": _headers(environ),
        "client": (environ["REMOTE_ADDR"], int(environ.get("REMOTE_PORT", 0))) if environ.get("REMOTE_ADDR") else None,
        "server": (environ["SERVER_NAME"], int(environ["SERVER_PORT"])),
        "extensions": {},
        "state": {"beside": _beside(environ)},
    }


def _headers(environ: Environ) -> list[tuple[bytes, bytes]]:
    named = {key[5:]: value for key, value in environ.items() if key.startswith("HTTP_")}
    named |= {key: environ[key] for key in ("CONTENT_TYPE", "CONTENT_LENGTH") if environ.get(key)}
    return [(key.replace("_", "-").lower().encode(), str(value).encode("latin-1")) for key, value in named.items()]


def _beside(environ: Environ) -> Environ:
    # What is logged to wsgi.errors, a test may want to read.
    kept = {"wsgi.errors"} & set(environ)
    kept |= {key for key in environ if key not in SAID_BY_THE_SERVER and not key.startswith(("HTTP_", "wsgi."))}
    return {key: environ[key] for key in kept}


def read_body(environ: Environ) -> bytes:
    """Return the whole body of a request, which the test client may send again where it is redirected to."""
    stream = environ["wsgi.input"]
    if not stream.seekable():
        whole: bytes = stream.read()
        return whole
    start = stream.tell()
    body: bytes = stream.read()
    stream.seek(start)
    return body
