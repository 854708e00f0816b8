"""Opaque tokens: ``carboy_<kind>_<random><checksum>``, known to the client alone and stored as a digest.

The shape is GitHub's: scanners of leaked secrets recognise it, and the checksum tells a mistyped token without a query.
"""

import secrets
from dataclasses import dataclass, field
from hashlib import sha256
from zlib import crc32

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
PAIRS = [high + low for high in ALPHABET for low in ALPHABET]
"""The numbers of two digits: a checksum is three of them."""
RANDOM_BITS = 256
RANDOM_LENGTH = 43
"""Digits to the base of 62 that 256 bits take."""
CHECKSUM_LENGTH = 6
"""The same for the 32 bits of a checksum."""
REST_LENGTH = RANDOM_LENGTH + CHECKSUM_LENGTH
PARTS = 3
"""Prefix, kind and rest."""


@dataclass(frozen=True, slots=True)
class Token:
    """A token as its owner has it. Neither its `repr` nor its `str` shows the secret.

    Attributes:
        kind: What it is for, such as ``access``; part of its text.
        digest: The SHA-256 of its text in hexadecimal: what is stored, with a unique index, and looked up. No salt is
            needed, as nobody can guess 256 random bits (ASVS 5.0 11.4.1).
    """

    kind: str
    _text: str = field(repr=False)

    @property
    def digest(self) -> str:
        return digest_of(self._text)

    def reveal(self) -> str:
        """Return the secret itself, to be shown once to its owner."""
        return self._text

    def __str__(self) -> str:
        return f"<{self.kind} token>"


class Tokens:
    """Makes and reads tokens.

    Args:
        prefix: The product's name, which stands in each: letters and digits in small letters.
    """

    def __init__(self, prefix: str = "carboy") -> None:
        self._prefix = prefix

    def new(self, kind: str) -> Token:
        """Make a token of 256 random bits.

        Raises:
            ValueError: The kind holds others than small letters and digits.
        """
        body = f"{self._prefix}_{kind}_{_base62(secrets.randbits(RANDOM_BITS), RANDOM_LENGTH)}"
        token = self.parse(body + _checksum(body))
        if token is None:
            raise ValueError(f"{kind!r}: a kind of token consists of small letters and digits.")
        return token

    def parse(self, text: str, *, kind: str | None = None) -> Token | None:
        """Return the token that a client has sent, or None if it cannot be one of ours.

        Args:
            text: What was sent.
            kind: The only kind that is wanted; None for any.
        """
        # Each request comes by here: a regular expression takes three times as long.
        parts = text.split("_", 3)
        if len(parts) != PARTS or parts[0] != self._prefix or not text.isascii():
            return None
        _, found, rest = parts
        is_shaped = found.isalnum() and found == found.lower() and rest.isalnum() and len(rest) == REST_LENGTH
        if not is_shaped or (kind is not None and found != kind):
            return None
        return Token(found, text) if rest.endswith(_checksum(text[:-CHECKSUM_LENGTH])) else None


def digest_of(secret: str) -> str:
    """Return the SHA-256 of a secret of at least 112 random bits, in hexadecimal: what is stored of it."""
    return sha256(secret.encode(errors="surrogatepass")).hexdigest()


def _checksum(body: str) -> str:
    # Of the kind too, so that a token of one kind cannot be made to look like one of another.
    rest, low = divmod(crc32(body.encode()), len(PAIRS))
    high, middle = divmod(rest, len(PAIRS))
    return PAIRS[high] + PAIRS[middle] + PAIRS[low]


def _base62(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, digit = divmod(number, len(ALPHABET))
        digits.append(ALPHABET[digit])
    return "".join(reversed(digits))
