"""Decides whether one regular expression allows all that another does."""

import re
import sys
from functools import cache

CHARACTERS = re.compile(r"\^(?:\[(?:\\.|[^\]\\])+\]|\(\?:\[(?:\\.|[^\]\\])+\](?:\|\[(?:\\.|[^\]\\])+\])*\))\*\$")
"""One of some characters, as often as one likes: such an expression is told by the characters that it takes."""
VALUE = r"(?:\\.|[^\\()\[\]{}|?*+.^$])+"
LIST = re.compile(rf"\^\(\?:(?P<values>{VALUE}(?:\|{VALUE})*)\)\(\?:,\(\?:(?P=values)\)\)\{{0,(?P<more>\d+)\}}\$")
"""Some of these values with commas between, as a filter by `AnyOf` has them: told by the values and their number."""


def allows(pattern: object, narrower: object) -> bool:
    """Tell whether a pattern surely allows whatever another does; of most that differ this cannot be told."""
    if pattern == narrower:
        return True
    if not (isinstance(pattern, str) and isinstance(narrower, str)):
        return False
    if CHARACTERS.fullmatch(pattern) and CHARACTERS.fullmatch(narrower):
        return {*_characters(pattern)} >= {*_characters(narrower)}
    wide, narrow = LIST.fullmatch(pattern), LIST.fullmatch(narrower)
    if wide is None or narrow is None:
        return False
    return int(wide["more"]) >= int(narrow["more"]) and _values(wide) >= _values(narrow)


@cache
def _characters(pattern: str) -> str:
    every = "".join(map(chr, range(sys.maxunicode + 1)))
    return "".join(re.findall(pattern.removeprefix("^").removesuffix("*$"), every, re.DOTALL))


def _values(listed: re.Match[str]) -> set[str]:
    return {*re.findall(VALUE, listed["values"])}
