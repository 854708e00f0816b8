"""Where a redirect leads, and what goes there."""

import httpx2

from carboy.clients.addresses import ForbiddenAddressError

SAFE_METHODS = frozenset({"GET", "HEAD"})
PUBLIC_HEADERS = ("Accept", "Accept-Encoding", "User-Agent")
"""What another server is told: neither credentials nor ids."""


def is_same_origin(one: httpx2.URL, other: httpx2.URL) -> bool:
    """Tell whether two URLs have scheme, host and port in common (RFC 6454)."""
    return (one.scheme, one.host, one.port) == (other.scheme, other.host, other.port)


def redirected(request: httpx2.Request, response: httpx2.Response) -> httpx2.Request | None:
    """Return the request that follows a redirect, None if the answer is none that may be followed.

    Raises:
        ForbiddenAddressError: It leads from HTTPS to something else, or to what is no URL of HTTP.
    """
    if not response.has_redirect_location or request.method not in SAFE_METHODS:
        return None
    try:
        url = request.url.join(response.headers["Location"])
    except httpx2.InvalidURL as error:
        raise ForbiddenAddressError("a redirect leads to what is no URL") from error
    if url.scheme not in {"https", request.url.scheme} or not url.host:
        raise ForbiddenAddressError(f"a redirect leads from {request.url.scheme} to {url.scheme or 'nowhere'}")
    if is_same_origin(url, request.url):
        headers = request.headers
    else:
        headers = httpx2.Headers({name: request.headers[name] for name in PUBLIC_HEADERS if name in request.headers})
    return httpx2.Request(request.method, url, headers=headers, extensions=request.extensions)
