"""Email addresses: which are taken, how they are spelt, and how two of them are compared."""

import re
import unicodedata
from typing import Annotated

import idna
from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, ValidationInfo

from carboy.schemas.text import Described, fold, of_sane_length, without_control_characters

SPECIAL_USE_DOMAINS = "special_use_domains"
"""The key of the validation context that says whether `SPECIAL_USE` addresses are taken; without it they are not."""

SPECIAL_USE = re.compile(r"[^@]+@(?:[^@]+\.)?(?:test|local|localhost)", re.IGNORECASE)
"""Addresses at domains that stand for nothing outside one machine or network (RFC 6761, RFC 6762)."""

SUFFIX = ".example"
"""What makes of such a domain one that email-validator takes, as it has no option for them but a global one."""


def address_of(text: str, *, allows_special_use: bool) -> str:
    """Return the normal spelling of an address alone: lower case, its domain Unicode in the form of IDNA 2008.

    Args:
        text: The address.
        allows_special_use: Whether it may be at a domain that `SPECIAL_USE` describes.

    Raises:
        ValueError: It is none.
    """
    text = text.strip()
    suffix = SUFFIX if allows_special_use and SPECIAL_USE.fullmatch(text) else ""
    try:
        address = validate_email(text + suffix, check_deliverability=False, allow_display_name=False).normalized
    except EmailNotValidError as error:
        raise ValueError(str(error)) from None
    return unicodedata.normalize("NFC", address.removesuffix(suffix).lower())


def _address(text: str, info: ValidationInfo) -> str:
    return address_of(text, allows_special_use=(info.context or {}).get(SPECIAL_USE_DOMAINS, False))


Email = Annotated[
    str,
    AfterValidator(of_sane_length),
    AfterValidator(without_control_characters),
    AfterValidator(_address),
    Described(format="email"),
]
"""An address alone, without a display name; it becomes lower case, its domain Unicode in the form of IDNA 2008."""


def fold_email(address: str) -> str:
    """Return the spelling by which addresses are compared: the local part without regard to case, the domain by IDNA.

    IDNA 2008 tells ``straße.de`` from ``strasse.de``, which case folding does not (RFC 5892, section 2.6).
    """
    local, at, domain = address.rpartition("@")
    return f"{fold(local)}{at}{_u_labels(domain)}"


def _u_labels(domain: str) -> str:
    domain = unicodedata.normalize("NFC", domain.lower())
    if domain.isascii() and "xn--" not in domain:
        return domain
    try:
        return idna.decode(domain, uts46=True)
    except idna.IDNAError:
        # No domain, so that it is equal to none.
        return domain
