"""Reads the keys of encryption as they are configured."""

import base64
import re

KEY_BYTES = 32
"""Of AES-256."""
DERIVED = "derived"
"""The id of the key that is made of the secret key; no other may have it."""
KEY = re.compile(r"([A-Za-z0-9_-]{1,32}):([A-Za-z0-9+/_-]{43})=?")


def parse_keys(text: str) -> dict[str, bytes]:
    """Return the keys by id, in their order: ``2026:<base64>,2025:<base64>``.

    Raises:
        ValueError: One is malformed, has another length than 32 bytes, or an id stands twice.
    """
    keys: dict[str, bytes] = {}
    for item in text.split(","):
        match = KEY.fullmatch(item.strip())
        if match is None or match[1] in {*keys, DERIVED}:
            raise ValueError("each key must be an id of its own, a colon and 32 bytes in base64, with commas between")
        # Both alphabets of RFC 4648, with or without padding.
        keys[match[1]] = base64.b64decode(match[2].replace("-", "+").replace("_", "/") + "=")
    return keys
