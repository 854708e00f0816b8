"""The manners that all schemas share. None tells its values in an error, as errors are logged."""

import unicodedata
from typing import Annotated, Any, Generic, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, GetJsonSchemaHandler, StringConstraints
from pydantic_core import CoreSchema

DEFAULT_PAGE_SIZE = 50
MAX_PAGE_SIZE = 200

ABSENT: Any = None
"""The default of a field that may be left out of a change but may not be null. A change tells what was left out."""


class Described:
    """What the API's document says of a type that no validator tells: ``Annotated[str, Described(format="name")]``.

    Args:
        **schema: Keywords of JSON Schema.
    """

    def __init__(self, **schema: Any) -> None:
        self._schema = schema

    def __get_pydantic_json_schema__(self, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**handler(core_schema), **self._schema}


def _without_control_characters(text: str) -> str:
    # PostgreSQL cannot store NUL, and the others have no place in a line of text (CWE-117 among the reasons).
    if any(unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} for character in text):
        raise ValueError("must not contain control characters")
    return text


def _without_nul_and_surrogates(text: str) -> str:
    if any(character == "\0" or unicodedata.category(character) == "Cs" for character in text):
        raise ValueError("must not contain NUL or half characters")
    return text


NO_CONTROLS = r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*$"

Text = Annotated[str, AfterValidator(_without_control_characters), Described(pattern=NO_CONTROLS)]
"""One line of text."""

Prose = Annotated[str, AfterValidator(_without_nul_and_surrogates), Described(pattern=r"^[^\x00]*$")]
"""Text of any number of lines: all that both databases can store."""


class Input(BaseModel):
    """A JSON body: types are JSON's own, and a field that is not known is an error instead of a surprise."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)


def _without_defaults(schema: dict[str, Any]) -> None:
    for described in schema["properties"].values():
        described.pop("default", None)


class Change(Input):
    """A JSON merge patch (RFC 7396): a field that is left out stays as it is, so that no field has a default."""

    model_config = ConfigDict(json_schema_extra=_without_defaults)


class Query(BaseModel):
    """The parameters of a query string, which are all text."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class PageQuery(Query):
    """What each list understands: how many items, and from where on."""

    limit: int = Field(default=DEFAULT_PAGE_SIZE, ge=1, le=MAX_PAGE_SIZE)
    cursor: Annotated[str, StringConstraints(max_length=500)] | None = None
    fields: tuple[str, ...] | None = None


class Record(BaseModel):
    """A row as the outside may see it. A DAO selects the columns that its record names, and no others."""

    model_config = ConfigDict(frozen=True, from_attributes=True, hide_input_in_errors=True)

    id: int


RecordT = TypeVar("RecordT", bound=Record)


Versions = frozenset[int] | None
"""The versions of which a row must have one to be changed; None for any."""


class Page(BaseModel, Generic[RecordT]):
    """Some items of a list, and the cursor of those that follow; null when these are the last."""

    model_config = ConfigDict(frozen=True, json_schema_serialization_defaults_required=True)

    items: list[RecordT]
    next_cursor: str | None
    previous_cursor: str | None = None
    total: int | None = None
