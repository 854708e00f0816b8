"""What is an Idempotency-Key, and what is none."""

import pytest

from carboy.api.idempotency import parse_key
from carboy.idempotency.errors import InvalidIdempotencyKeyError

KEY = "8e03978e-40d5-43dd-bc93-6894a57f9324"


@pytest.mark.parametrize(
    ("header", "key"),
    [
        (f'"{KEY}"', KEY),
        (KEY, KEY),
        (f'  "{KEY}"\t', KEY),
        ('"two words"', "two words"),
        (r'"a\"b\\c"', r'a"b\c'),
        ('"a,b;c"', "a,b;c"),
        ("a;b=/+_~!", "a;b=/+_~!"),
        ("a" * 255, "a" * 255),
        (f'"{"a" * 255}"', "a" * 255),
        ('"' + r"\\" * 255 + '"', "\\" * 255),
    ],
)
def test_a_key_is_read_quoted_or_bare(header: str, key: str) -> None:
    assert parse_key(header) == key


NO_KEYS = ["", " ", '""', '"', '"a', 'a"', '"a" "b"', '"a","b"', "a,b", "a b", '"a";b=1', r'"a\b"', '"\t"', '"é"', "é"]
NO_KEYS += ["a\0", '"a\x7f"', "\N{FULLWIDTH LATIN SMALL LETTER A}", "a" * 256, f'"{"a" * 256}"', "a\n", '"a"\n']


@pytest.mark.parametrize("header", NO_KEYS)
def test_anything_else_is_no_key(header: str) -> None:
    with pytest.raises(InvalidIdempotencyKeyError, match="Idempotency-Key"):
        parse_key(header)
