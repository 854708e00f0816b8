"""Refuses forms that another site makes a browser send (ASVS 5.0 3.5.1).

Each session, also that of a visitor who has not logged in, has a secret, which follows from the token in its cookie:
the database holds neither. A form repeats a token that is made of the secret and differs each time (BREACH). Besides,
a browser says itself where a request comes from.
"""

import base64
import binascii
import hmac
import secrets
from hashlib import sha256
from http import HTTPStatus
from urllib.parse import urlsplit

from carboy.errors import CarboyError
from carboy.web.application import Request

FIELD = "csrf_token"
"""The name of the form's hidden field."""
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
MASK_BYTES = 32
OWN_SITES = frozenset({"same-origin", "none"})
"""What Sec-Fetch-Site says of a page's own form, and of an address that was typed."""


class CrossSiteError(CarboyError):
    status = HTTPStatus.FORBIDDEN
    code = "cross_site"
    message = "This form was sent from another site, or is too old. Open the page again and send it anew."


def secret_of(session_token: str) -> str:
    """Return the secret of a session's forms, from which its token cannot be found."""
    return hmac.digest(session_token.encode(), b"carboy csrf secret", sha256).hex()


def token_of(secret: str) -> str:
    """Return a token for a form, another one each time, that `check_form` accepts with the same secret."""
    mask = secrets.token_bytes(MASK_BYTES)
    return base64.urlsafe_b64encode(mask + _masked(secret, mask)).decode()


def check_form(request: Request, secret: str | None, origin: str | None) -> None:
    """Refuse a request that changes something and was not sent by a page of ours.

    Args:
        request: The request; those that change nothing pass.
        secret: The secret of its session row; None if it has none, so that it cannot have seen a form of ours.
        origin: Our own, such as ``https://app.example.org``: from the configuration, never from the header Host.

    Raises:
        CrossSiteError: It was sent from elsewhere, or its token is missing, old, or another session's.
    """
    if request.method in SAFE_METHODS:
        return
    if not _is_from_here(request, origin) or secret is None or not is_token_of(secret, request.form.get(FIELD, "")):
        raise CrossSiteError


def is_token_of(secret: str, token: str) -> bool:
    """Tell whether a token was made of a secret, in a time that does not depend on where they differ."""
    try:
        content = base64.b64decode(token.encode("ascii"), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        return False
    mask, masked = content[:MASK_BYTES], content[MASK_BYTES:]
    return hmac.compare_digest(masked, _masked(secret, mask))


def _is_from_here(request: Request, origin: str | None) -> bool:
    """Tell whether the browser says that a page of ours has sent it: every current one sends Sec-Fetch-Site."""
    site = request.environ.get("HTTP_SEC_FETCH_SITE")
    if site is not None:
        return site in OWN_SITES
    sender = request.environ.get("HTTP_ORIGIN") or origin_of(request.environ.get("HTTP_REFERER"))
    # Without any of them it is no browser, and the token alone decides.
    return sender is None or sender == origin


def origin_of(address: str | None) -> str | None:
    """Return the scheme, host and port of an address; None if there is none."""
    if not address:
        return None
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"


def _masked(secret: str, mask: bytes) -> bytes:
    # Of the mask and the secret, neither of which can be found from it.
    return hmac.digest(secret.encode(), b"carboy csrf " + mask, sha256)
