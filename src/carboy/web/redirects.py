"""Where a page may send its reader after a form: to a path of this application, and nowhere else (ASVS 5.0 3.7.2)."""

import re
from urllib.parse import quote

from carboy.web.application import Request

MAX_TARGET = 2000
"""Characters of a target; a longer one is dropped, as is one that leads elsewhere."""
UNRESERVED = "/!$&'()*+,;=:@"
"""What needs no percent in a path, besides letters, digits and ``-._~`` (RFC 3986 section 3.3)."""
SAFE = re.compile(r"/(?!/)[!-\[\]-~]*")
"""A path of visible ASCII without a backslash, which browsers take for a slash, and with one slash at its beginning."""


def safe_target(target: str | None, default: str = "/") -> str:
    """Return where a request asks to be sent, or the default if that is not a path of this application.

    Refused are absolute addresses, two slashes at the beginning, a backslash anywhere, blanks, and control characters,
    which browsers leave out before they look at the rest.
    """
    if target is None or len(target) > MAX_TARGET or not SAFE.fullmatch(target):
        return default
    return target


def path_of(request: Request) -> str:
    """Return the path that a request asks for, as a link to it: below where a proxy serves the application."""
    return quote(f"{request.root_path}{request.path}", safe=UNRESERVED)


def target_of(request: Request) -> str:
    """Return path and query of a request, for whoever comes back to it later: `safe_target` takes it."""
    query = request.query_string.decode("ascii", errors="ignore")
    return f"{path_of(request)}?{query}" if query else path_of(request)
