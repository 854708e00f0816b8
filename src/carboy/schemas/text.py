"""Kinds of text, and how two of them are compared. None tells its values in an error, as errors are logged."""

import unicodedata
from typing import Annotated, Any

from pydantic import AfterValidator, GetJsonSchemaHandler, StringConstraints
from pydantic_core import CoreSchema


class Described:
    """What the API's document says of a type that no validator tells: ``Annotated[str, Described(format="name")]``.

    Args:
        **schema: Keywords of JSON Schema.
    """

    def __init__(self, **schema: Any) -> None:
        self._schema = schema

    @property
    def format(self) -> str | None:
        found: str | None = self._schema.get("format")
        return found

    def __get_pydantic_json_schema__(self, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**handler(core_schema), **self._schema}


MAX_LINE = 2000
"""Characters of one line of text before it is normalised, which takes a time that grows with the square of its length:
minutes, on the event loop, for a megabyte of combining marks. No shorter limit that follows is met by more than four
times its characters."""


def of_sane_length(text: str) -> str:
    if len(text) > MAX_LINE:
        raise ValueError(f"must be at most {MAX_LINE} characters")
    return text


def without_control_characters(text: str) -> str:
    # PostgreSQL cannot store NUL, and the others have no place in a line of text (CWE-117 among the reasons).
    if any(unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} for character in text):
        raise ValueError("must not contain control characters")
    return text


def _without_nul_and_surrogates(text: str) -> str:
    if any(character == "\0" or unicodedata.category(character) == "Cs" for character in text):
        raise ValueError("must not contain NUL or unpaired surrogates")
    return text


NO_CONTROLS = r"^(?:[^\x00-\x1f\x7f-\x9f\u2027-\u202a]|[\u2027\u202a])*$"
"""U+2028 and U+2029 lie between others here, as generators that write `\\u2028` as the character itself would end the
line in the midst of a regular expression of JavaScript."""

Text = Annotated[
    str, AfterValidator(of_sane_length), AfterValidator(without_control_characters), Described(pattern=NO_CONTROLS)
]
"""One line of text."""

Prose = Annotated[str, AfterValidator(_without_nul_and_surrogates), Described(pattern=r"^[^\x00]*$")]
"""Text of any number of lines: all that both databases can store."""

Search = Annotated[Text, StringConstraints(min_length=1, max_length=100)]
"""Text to look for."""


def fold(name: str) -> str:
    """Return the spelling by which names are compared: the compatibility caseless match of Unicode (3.13, D146)."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFD", name).casefold())
    return unicodedata.normalize("NFKC", folded.casefold())


def spellings(search: str) -> tuple[str, ...]:
    """Return how a text may be spelt in what was folded: by `fold`, and as domains keep it, which tell ß from ss."""
    return tuple(dict.fromkeys((fold(search), unicodedata.normalize("NFC", search.lower()))))
