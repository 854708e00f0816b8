"""The second factor: time-based codes (RFC 6238), each of which works once, and recovery codes."""

import io
import re
import secrets
import time
from hmac import compare_digest

import pyotp
import segno

from carboy.security.tokens import digest_of

STEP_SECONDS = 30
WINDOW = 1
"""Steps before and after the current one whose codes are taken: clocks differ, people type slowly (RFC 6238 5.2)."""
CODE = re.compile(r"[0-9]{6}")

RECOVERY_CODES = 10
RECOVERY_GROUPS, RECOVERY_GROUP = 6, 4
RECOVERY_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
"""24 letters of 5 bits: with more than 112 bits a plain digest may be stored (ASVS 5.0 6.5.2)."""
READ_AS = str.maketrans("018", "OIB", " -")
"""Digits that are not in the alphabet, and the letters that people mean by them; blanks and hyphens are left out."""


def new_seed() -> str:
    """Return a new seed of 160 random bits in base 32, which is to be stored encrypted."""
    return pyotp.random_base32()


def accepted_step(seed: str, code: str, *, last_step: int | None, now: float | None = None) -> int | None:
    """Return the time step whose code this is, or None if it is wrong or was used.

    The caller stores the step by one statement, such as ``UPDATE ... SET last_step = :step WHERE id = :id AND
    last_step < :step``, and takes the code only if that has changed a row: of two requests with one code, one wins.

    Args:
        seed: The account's seed.
        code: What was typed; blanks are overlooked.
        last_step: The step of the last code that was accepted; None if there was none.
        now: Seconds since 1970; None for the current time.
    """
    typed = code.replace(" ", "")
    if not CODE.fullmatch(typed):
        return None
    current = int(time.time() if now is None else now) // STEP_SECONDS
    steps = range(current - WINDOW, current + WINDOW + 1)
    totp = pyotp.TOTP(seed)
    # All are compared, so that the time tells nothing.
    equal = [step for step in steps if compare_digest(totp.generate_otp(step), typed)]
    return next((step for step in equal if last_step is None or step > last_step), None)


def provisioning_uri(seed: str, *, account: str, issuer: str) -> str:
    """Return the address that an authenticator app reads: ``otpauth://totp/...``. It holds the seed."""
    return pyotp.TOTP(seed).provisioning_uri(name=account, issuer_name=issuer)


def qr_code(uri: str, *, title: str) -> str:
    """Return a QR code as an inline ``<svg>`` without script or style, so that no policy for pages need allow either.

    Args:
        uri: What it says.
        title: What a screen reader says.
    """
    svg = io.BytesIO()
    segno.make_qr(uri).save(svg, kind="svg", xmldecl=False, title=title, scale=4, border=4, light="#fff")
    return svg.getvalue().decode()


def new_recovery_codes() -> list[str]:
    """Return ten new recovery codes, to be shown once; each is stored as `recovery_digest`, and deleted when used."""
    return [_recovery_code() for _ in range(RECOVERY_CODES)]


def recovery_digest(code: str) -> str:
    """Return what is stored of a recovery code, however it was typed."""
    return digest_of(code.upper().translate(READ_AS))


def _recovery_code() -> str:
    groups = ("".join(secrets.choice(RECOVERY_ALPHABET) for _ in range(RECOVERY_GROUP)) for _ in range(RECOVERY_GROUPS))
    return "-".join(groups)
