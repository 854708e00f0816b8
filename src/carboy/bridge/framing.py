"""Tells how long a request body is, and whether its headers leave any doubt of where it ends.

What two programs read differently lets a second request through, hidden in the body of the first (request smuggling).
Servers differ in what they let through, so that it is decided here, the same for all of them.
"""

from asgiref.typing import HTTPScope
from werkzeug.exceptions import BadRequest

FRAMING = frozenset({b"content-length", b"transfer-encoding"})

LONGEST_LENGTH = 19
"""Digits of the largest length that fits 64 bits; int() of a longer header would itself be an attack."""


def declared_length(scope: HTTPScope) -> int | None:
    """Return the length of the body in bytes that the headers declare, None when they declare none.

    Raises:
        BadRequest: The headers contradict each other or make no sense (RFC 9112 sections 6.1 and 6.3).
    """
    for name, _ in scope["headers"]:
        if name in FRAMING:
            return _declared_length(scope)
    return None


def _declared_length(scope: HTTPScope) -> int | None:
    lengths = {value for name, value in scope["headers"] if name == b"content-length"}
    codings = [value for name, value in scope["headers"] if name == b"transfer-encoding"]
    if codings:
        # Chunks are of HTTP/1.1 alone, they exclude a length, and no server here knows any other coding.
        if lengths or scope["http_version"] != "1.1" or [coding.lower() for coding in codings] != [b"chunked"]:
            raise BadRequest("The headers do not say in one way where the request body ends.")
        return None
    if len(lengths) > 1:
        raise BadRequest("The headers Content-Length contradict each other.")
    length = lengths.pop()
    if not length.isdigit() or len(length) > LONGEST_LENGTH:
        raise BadRequest("The header Content-Length is not a number of bytes.")
    return int(length)
