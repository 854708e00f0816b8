"""Decides whether two regular expressions that are spelt otherwise allow the same text."""

import re
import sys
from functools import cache

CHARACTERS = re.compile(r"\^(?:\[(?:\\.|[^\]\\])+\]|\(\?:\[(?:\\.|[^\]\\])+\](?:\|\[(?:\\.|[^\]\\])+\])*\))\*\$")
"""One of some characters, as often as one likes: such an expression is told by the characters that it takes."""


def allow_the_same(one: object, other: object) -> bool:
    """Tell whether two patterns surely allow the same text; of most that differ this cannot be told."""
    if one == other:
        return True
    return (
        isinstance(one, str)
        and isinstance(other, str)
        and all(CHARACTERS.fullmatch(pattern) for pattern in (one, other))
        and _characters(one) == _characters(other)
    )


@cache
def _characters(pattern: str) -> str:
    every = "".join(map(chr, range(sys.maxunicode + 1)))
    return "".join(re.findall(pattern.removeprefix("^").removesuffix("*$"), every, re.DOTALL))
