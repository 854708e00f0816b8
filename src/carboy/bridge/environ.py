"""Translates an ASGI HTTP scope into a WSGI environ (PEP 3333)."""

import sys
from functools import lru_cache
from typing import IO, Any
from urllib.parse import quote, unquote, unquote_to_bytes

from asgiref.typing import HTTPScope
from werkzeug.wsgi import FileWrapper

from carboy.bridge.body import RequestBody

FILE_CHUNK_BYTES = 256 * 1024
"""Each chunk of a file costs a trip to a thread, so that the usual 8 KiB would be mostly trips."""


REMEMBERED_NAME = 64
"""Bytes of a header's name that is remembered: all that are in use are shorter, and clients may send any."""


def build_environ(scope: HTTPScope, body: RequestBody, length: int | None) -> dict[str, Any]:
    """Build the environ of one request.

    Args:
        scope: The ASGI scope of type ``http``.
        body: The whole request body, or a stream that refuses to be read.
        length: The length of the body in bytes; None when the client sent no body.
    """
    script_name, path, target = _split_target(scope)
    server = scope.get("server") or ("localhost", None)
    # A Unix socket has a path for a name and no port. The Host header is what URLs are built from.
    host, port = server if server[1] is not None else ("localhost", _default_port(scope))
    query = scope["query_string"].decode("latin-1")
    if query:
        target = f"{target}?{query}"
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": script_name,
        "PATH_INFO": path,
        "QUERY_STRING": query,
        # As werkzeug's own server and gunicorn name what the client has sent.
        "REQUEST_URI": target,
        "RAW_URI": target,
        "SERVER_NAME": host,
        "SERVER_PORT": str(port),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "SERVER_SOFTWARE": "carboy",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.get("scheme", "http"),
        "wsgi.input": body,
        # The body is whole and ends by itself, so that a reader need not know its length (chunked bodies have none).
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "wsgi.file_wrapper": _file_wrapper,
        "asgi.scope": scope,
    }
    client = scope.get("client")
    if client is not None:
        environ["REMOTE_ADDR"] = client[0]
        environ["REMOTE_PORT"] = str(client[1])
    _add_headers(environ, scope)
    if length is not None:
        # Once the body is whole, RFC 9112 section 7.1.3 says to state its length and to forget that it was chunked.
        environ["CONTENT_LENGTH"] = str(length)
        environ.pop("HTTP_TRANSFER_ENCODING", None)
    return environ


def _default_port(scope: HTTPScope) -> int:
    return 443 if scope.get("scheme") == "https" else 80


def _split_target(scope: HTTPScope) -> tuple[str, str, str]:
    """Return SCRIPT_NAME and PATH_INFO, percent-decoded and spelt as latin-1 as PEP 3333 wants them, and the raw path.

    The ASGI specification lets ``path`` begin with ``root_path``; hypercorn leaves it away. Both are understood.
    """
    path, raw, root = scope["path"], scope.get("raw_path"), scope.get("root_path", "").rstrip("/")
    target = raw.decode("latin-1") if raw else quote(path)
    if target != path or not path.startswith("/"):
        path = _path(path, target).decode("latin-1")
    if root:
        root = root.encode().decode("latin-1")
        if path == root or path.startswith(f"{root}/"):
            path = path[len(root) :]
    return root, path, target


def _path(path: str, target: str) -> bytes:
    """Return the path: that of the target, whose bytes need not be UTF-8, unless ASGI middleware has rewritten it."""
    origin = _origin_form(target)
    is_as_sent = path in {unquote(target), unquote(origin)}
    return unquote_to_bytes(origin) if is_as_sent else path.encode("utf-8", "surrogateescape")


def _origin_form(target: str) -> str:
    """Reduce a target in absolute form, which a server must accept (RFC 9112 section 3.2.2), to its path."""
    if target.startswith("/") or "://" not in target:
        return target
    return "/" + target.partition("://")[2].partition("/")[2]


def _add_headers(environ: dict[str, Any], scope: HTTPScope) -> None:
    for name, value in scope["headers"]:
        key = _header_key(name) if len(name) <= REMEMBERED_NAME else _header_key.__wrapped__(name)
        if key is None:
            continue
        text = value.decode("latin-1")
        if key in environ:
            # Cookies are joined as RFC 9113 section 8.2.3 says, all else as RFC 9110 section 5.2.
            text = f"{environ[key]}{'; ' if key == 'HTTP_COOKIE' else ','}{text}"
        environ[key] = text


@lru_cache(maxsize=512)
def _header_key(name: bytes) -> str | None:
    """Return the environ key of a header, or None for a name with an underscore.

    ``X_User`` would become the same key as ``X-User``, and so slip past a proxy that removes or sets the latter.
    """
    if b"_" in name:
        return None
    key = name.decode("latin-1").upper().replace("-", "_")
    return key if key in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{key}"


def _file_wrapper(file: IO[bytes], _buffer_size: int = 8192) -> FileWrapper:
    return FileWrapper(file, FILE_CHUNK_BYTES)
