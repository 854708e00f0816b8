"""Base schemas. Validation errors never contain input values, because errors are logged."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    StringConstraints,
    ValidationInfo,
)
from pydantic_core import CoreSchema, core_schema

from carboy.schemas.attribute_docs import Documented
from carboy.schemas.moments import spell_moments
from carboy.schemas.numbers import accept_integral_floats

DEFAULT_PAGE_SIZE = 50
MAX_PAGE_SIZE = 200
MAX_CURSOR_LENGTH = 4000
"""Room for the longest values that a list is sorted by, such as two keys of 200 characters, none of them ASCII."""


class Input(BaseModel):
    """A JSON body: types are JSON's own, and a field that is not known is an error instead of a surprise.

    No number in it is infinite or NaN, which no JSON can say and many parsers read all the same. 7.0 is a whole number.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True, allow_inf_nan=False)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: type[BaseModel], handler: GetCoreSchemaHandler) -> CoreSchema:
        return accept_integral_floats(handler(source))


class Change(Input):
    """A JSON merge patch (RFC 7396): a field that is left out stays as it is.

    Each field may be pydantic's `MISSING`, and is so by default: ``name: Name | MISSING = MISSING``. What is missing is
    in no dump of the change, and a field that may be removed is ``Name | MISSING | None``.
    """


class Query(Documented):
    """The parameters of a query string, which are all text. The text below a field describes it to clients."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, allow_inf_nan=False)


@dataclass(frozen=True)
class Names:
    """A comma-separated list of allowed names, without repeats.

    Attributes:
        allowed: The names.
        sign: A regular expression of what may stand before a name.
        description: What the parameter does, for the API's documentation.
    """

    allowed: tuple[str, ...]
    sign: str
    description: str

    def __get_pydantic_core_schema__(self, source: type[str], handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(self, _schema: CoreSchema, _handler: object) -> dict[str, Any]:
        return self.described()

    def described(self) -> dict[str, Any]:
        """Return the schema of such a text."""
        name = f"{self.sign}(?:{'|'.join(self.allowed)})"
        twice = f"(?:.*,)?{self.sign}([^,-]+),(?:.*,)?{self.sign}\\1(?:,|$)"
        return {
            "description": self.description,
            # Of one name alone there is no list.
            "examples": [self.sign.rstrip("?") + ",".join(dict.fromkeys((self.allowed[-1], self.allowed[0])))],
            "pattern": f"^(?!{twice}){name}(?:,{name})*$",
            "type": "string",
        }

    def check(self, text: str) -> str:
        """Return a text that is such a list.

        Raises:
            ValueError: It is none.
        """
        names = [name.removeprefix(self.sign.rstrip("?")) for name in text.split(",")]
        if len(set(names)) < len(names) or not set(names) <= set(self.allowed):
            raise ValueError(f"must be one or more of {', '.join(self.allowed)}; with commas between them, each once")
        return text


@dataclass(frozen=True)
class Sorts(Names):
    """The names that a list can be sorted by.

    Attributes:
        columns: By each name besides ``id`` the column.
    """

    columns: Mapping[str, str]


def sort_by(*columns: str, **named: str) -> Sorts:
    """Say what a list can be sorted by, besides ``id``.

    It annotates the text: ``sort: Annotated[str, sort_by("amount", created="created_at")] = "id"``.

    Args:
        *columns: Columns, each the first of an index, in which the id follows if its values may be equal.
        **named: Such columns, by the names that clients know them by.
    """
    found = dict(zip(columns, columns, strict=True)) | named
    return Sorts(
        ("id", *found),
        "-?",
        "What to sort by, most important first; - before a name reverses its order. Null stands last, either way.",
        found,
    )


def fields_of(record: type[BaseModel]) -> Names:
    """Return what an item of a list can be reduced to."""
    return Names(tuple(record.model_fields), "", "The only fields that each item shall have.")


class Record(Documented):
    """A row as the outside may see it. A DAO selects the columns that its record names, and no others.

    In JSON a moment has six decimals, always.
    """

    model_config = ConfigDict(frozen=True, from_attributes=True, hide_input_in_errors=True)

    id: int

    @classmethod
    def __get_pydantic_core_schema__(cls, source: type[BaseModel], handler: GetCoreSchemaHandler) -> CoreSchema:
        return spell_moments(handler(source))


RecordT = TypeVar("RecordT", bound=Record)


Versions = frozenset[int] | None
"""The versions of which a row must have one to be changed; None for any."""


FIELDS = "fields"
"""The key of the validation context that says what `PageQuery.fields` may name, by the record of the list."""


def _of_the_record(text: str, info: ValidationInfo) -> str:
    names: Names | None = (info.context or {}).get(FIELDS)
    return text if names is None else names.check(text)


class PageQuery(Query):
    """What each list understands; a resource that can be sorted by more, or filtered, says so in its own.

    What `fields` may name follows from the record that the view returns pages of.
    """

    limit: int = Field(default=DEFAULT_PAGE_SIZE, ge=1, le=MAX_PAGE_SIZE)
    """The most items to return."""
    cursor: Annotated[str, StringConstraints(max_length=MAX_CURSOR_LENGTH)] | None = None
    """Where to go on: `next_cursor` or `previous_cursor` of another page in the same order."""
    sort: Annotated[str, sort_by()] = "id"
    fields: Annotated[str, AfterValidator(_of_the_record)] | None = None
    total: bool = False
    """Whether to count the items on all pages, which takes the longer the more there are."""


class Page(BaseModel, Generic[RecordT]):
    """Some items of a list, and the cursors of those that follow and precede them; null at the list's ends."""

    # Described here and not by text below them: pydantic would read this file again for each kind of item.
    model_config = ConfigDict(frozen=True)

    items: list[RecordT] = Field(description="The items, in the order that was asked for.")
    next_cursor: str | None = Field(description="Where the next page begins; null on the last one.")
    previous_cursor: str | None = Field(description="Where the page before ends; null on the first one.")
    total: int | None = Field(description="The number of items on all pages, if it was asked for.")


def sorts_of(query: type[PageQuery]) -> Mapping[str, str]:
    """Return the columns that the lists of a query can be sorted by, by their names."""
    return next((note.columns for note in query.model_fields["sort"].metadata if isinstance(note, Sorts)), {})
