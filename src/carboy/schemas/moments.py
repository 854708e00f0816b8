"""Dates and moments: which are taken, and how moments are spelled in answers."""

import re
from datetime import UTC, date, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Strict
from pydantic_core import CoreSchema, core_schema

from carboy.schemas.text import Described

DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
MOMENT = re.compile(rf"{DATE.pattern}[Tt ][0-9].*", re.DOTALL)
"""The beginning of a moment. The library, which reads the rest, also takes numbers: seconds since 1970."""


FIRST, LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
RANGE = "Must lie in the years 1 to 9999 in UTC."


def _like_a_moment(value: object) -> object:
    if not isinstance(value, datetime) and not (isinstance(value, str) and MOMENT.fullmatch(value)):
        raise ValueError("must be a date, a time and a zone, such as 2026-11-25T14:30:00Z")
    return value


def _like_a_date(value: object) -> object:
    if isinstance(value, datetime) or not (
        isinstance(value, date) or (isinstance(value, str) and DATE.fullmatch(value))
    ):
        raise ValueError("must be a date, such as 2026-11-25")
    return value


def is_in_range(moment: datetime) -> bool:
    """Tell whether both databases can store a moment, and give it back in UTC.

    asyncpg takes the first and the last one that Python has for PostgreSQL's infinities.
    """
    try:
        return FIRST < moment.astimezone(UTC) < LAST
    except OverflowError:
        return False


def _in_utc(moment: datetime) -> datetime:
    if not is_in_range(moment):
        raise ValueError(RANGE)
    return moment.astimezone(UTC)


Moment = Annotated[
    AwareDatetime,
    Strict(strict=False),
    BeforeValidator(_like_a_moment),
    AfterValidator(_in_utc),
    Described(description="A moment (RFC 3339) with its zone.", examples=["2026-11-25T14:30:00Z"]),
]
"""A moment with a zone, which becomes UTC."""

Date = Annotated[
    date, Strict(strict=False), BeforeValidator(_like_a_date), Described(format="date", examples=["2026-11-25"])
]
"""A calendar date."""


def _with_decimals(moment: datetime) -> datetime | str:
    # The library itself leaves out decimals that are all zero. It spells the others, four times as fast as Python.
    return moment if moment.microsecond else moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


SPELLING = core_schema.plain_serializer_function_ser_schema(_with_decimals, when_used="json")


def spell_moments(schema: CoreSchema) -> CoreSchema:
    """Return the schema of a model, which from now on spells each moment in it, however deep, with six decimals."""
    _spell_within(schema)
    return schema


def _spell_within(part: Any) -> None:
    if isinstance(part, dict):
        if part.get("type") == "datetime":
            part.setdefault("serialization", SPELLING)
        for inner in part.values():
            _spell_within(inner)
    elif isinstance(part, list | tuple):
        for inner in part:
            _spell_within(inner)
