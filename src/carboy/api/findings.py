"""Turns validation errors into messages for the client, of bounded length whatever was sent."""

import re
from collections.abc import Iterable, Mapping
from json import JSONDecoder
from typing import Any
from urllib.parse import quote

from pydantic import ValidationError

MAX_PROBLEMS = 100
"""Of more problems only the first are told: a body of unknown fields must not make an answer of megabytes."""

MAX_NAME = 100
"""Characters of a name that a problem repeats; longer ones are cut."""
MAX_POINTER = 500
"""Characters of a pointer, which has the names of all fields above."""
MAX_DETAIL = 500
"""Characters of what is wrong: some of the library's messages repeat what was sent."""

UNKNOWN = "There is no {place} of this name."
DATE = "Must be a date, such as 2026-11-25."
MOMENT = "Must be a date, a time and a zone, such as 2026-11-25T14:30:00Z."
PLAIN = {
    **dict.fromkeys(("date_parsing", "date_from_datetime_parsing", "date_from_datetime_inexact"), DATE),
    **dict.fromkeys(("datetime_parsing", "datetime_from_date_parsing", "timezone_aware"), MOMENT),
    **dict.fromkeys(("bool_parsing", "bool_type"), "Must be true or false."),
}
"""By type of problem, a plainer sentence than the library's, which tells how it parses."""

OF_UNKNOWN_KIND = re.compile(r"Value should have (at (?:most|least) \d+) items? after validation, (not \d+)")
"""What the library says of text whose length it measures after another validator, as if it were a list."""


def first_problems(error: ValidationError) -> list[Any]:
    """Return the first problems, each a dictionary with ``type``, ``loc`` and ``msg``."""
    options = {"include_url": False, "include_context": False, "include_input": False}
    if error.error_count() <= MAX_PROBLEMS:
        return [*error.errors(**options)]
    # Only so many are read: making a dictionary of each takes ten times as long as their text.
    text, end, problems = error.json(**options), 0, []
    for _ in range(MAX_PROBLEMS):
        # Before each there is a bracket or a comma.
        problem, end = JSONDecoder().raw_decode(text, end + 1)
        problems.append(problem)
    return problems


def cut(name: str) -> str:
    """Shorten a name before it is repeated to the client, who may have sent a megabyte."""
    return name if len(name) <= MAX_NAME else f"{name[:MAX_NAME]}..."


def pointer_of(loc: Iterable[int | str]) -> str:
    """Return a JSON pointer as a URI fragment, the form that RFC 9457 shows (RFC 6901, sections 4 and 6)."""
    pointer = "".join("/" + cut(str(part)).replace("~", "~0").replace("/", "~1") for part in loc)
    fragment = quote(pointer, safe="/!$&'()*+,;=:@?")
    return f"#{fragment}" if len(fragment) <= MAX_POINTER else f"#{fragment[:MAX_POINTER]}..."


def parameter_of(loc: Iterable[int | str]) -> str | None:
    # A validator of the whole query blames no single parameter.
    return next((cut(str(part)) for part in loc), None)


def detail_of(problem: Mapping[str, Any], *, place: str = "field") -> str:
    """Return what is wrong, as a sentence.

    Args:
        problem: One of `first_problems`.
        place: What the problem's ``loc`` names: a ``field`` of the body or a ``parameter``.
    """
    kind = problem["type"]
    if kind == "extra_forbidden":
        return UNKNOWN.format(place=place)
    return PLAIN.get(kind) or sentence(problem["msg"])


def sentence(message: str) -> str:
    """Make pydantic's message a sentence; ``Value error,`` is how it marks one of ours."""
    message = message.removeprefix("Value error, ").removeprefix("value is not a valid email address: ")
    message = OF_UNKNOWN_KIND.sub(r"should have a length of \1, \2", message).replace(" after validation,", ",")
    if len(message) > MAX_DETAIL:
        message = f"{message[:MAX_DETAIL]}..."
    return f"{message[:1].upper()}{message[1:].rstrip('.')}."
