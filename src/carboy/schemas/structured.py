"""Kinds of field that hold more than one value."""

import math
from typing import Annotated, Any

from pydantic import AfterValidator, Field, JsonValue, StringConstraints

from carboy.schemas.numbers import MAX_BIG_WHOLE
from carboy.schemas.text import NO_CONTROLS, Described, Text

MAX_DEPTH = 20
"""Objects and arrays within each other. Those that read JSON have limits of their own, the lowest of which is 64."""

MAX_TAGS = 50


def _each_once(tags: list[str]) -> list[str]:
    if len(set(tags)) < len(tags):
        raise ValueError("must not hold the same text twice")
    return tags


def _without_commas(tag: str) -> str:
    if "," in tag:
        raise ValueError("must not contain commas")
    return tag


Tag = Annotated[
    Text,
    StringConstraints(min_length=1, max_length=50),
    AfterValidator(_without_commas),
    Described(pattern=NO_CONTROLS.replace("[^", "[^,", 1)),
]
"""A word or two that rows are grouped by. It has no comma, as commas separate the values of a filter."""

Tags = Annotated[
    list[Tag], Field(max_length=MAX_TAGS), AfterValidator(_each_once), Described(uniqueItems=True, examples=[["red"]])
]
"""A list of tags, each once."""


def _storable(value: JsonValue) -> JsonValue:
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH + 1):
        for item in level:
            _check(item)
        if not level:
            return value
        level = [inner for item in level for inner in _within(item)]
    raise ValueError(f"must not be nested more than {MAX_DEPTH} levels deep")


def _within(item: object) -> list[Any]:
    if isinstance(item, dict):
        return [*item.keys(), *item.values()]
    return item if isinstance(item, list) else []


def _check(item: object) -> None:
    if isinstance(item, str) and ("\0" in item or any("\ud800" <= letter <= "\udfff" for letter in item)):
        raise ValueError("must not contain NUL or unpaired surrogates")
    if isinstance(item, float) and not math.isfinite(item):
        raise ValueError("must not contain NaN or infinite numbers")
    if isinstance(item, int) and abs(item) > MAX_BIG_WHOLE:
        raise ValueError("must not contain whole numbers of more than 64 bits")


Json = Annotated[
    JsonValue,
    AfterValidator(_storable),
    Described(description=f"Any JSON, at most {MAX_DEPTH} levels deep, of finite numbers and of text without NUL."),
]
"""Any JSON that both databases can store."""
