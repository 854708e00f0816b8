"""Kinds of field at the edge: what is taken, what is refused, and how it stands in the API's document."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any

import pytest
from pydantic import Field, ValidationError
from sqlalchemy import BigInteger, Numeric
from sqlalchemy.dialects import postgresql, sqlite
from support.kinds import Colour

from carboy.api.findings import detail_of, first_problems
from carboy.models.choices import Choice
from carboy.models.numbers import Amount as AmountColumn
from carboy.schemas import Amount, BigWhole, Date, Json, Moment, Money, Number, Reference, Tags, Whole
from carboy.schemas.base import Input, Query, Record

Weight = Annotated[Decimal, Amount(9, 3, signed=False)]


class Parcel(Input):
    whole: Whole = 0
    big: BigWhole = 0
    number: Number = 0.0
    plain: float = 0.0
    integer: int = 0
    integers: list[int] = []
    price: Money = Decimal(0)
    weight: Weight = Decimal(0)
    long: Annotated[Decimal, Amount(18, 2)] = Decimal(0)
    count: Annotated[Decimal, Amount(3, 0)] = Decimal(0)
    share: Annotated[Decimal, Amount(2, 2)] = Decimal(0)
    positive: Annotated[Whole, Field(ge=1)] = 1
    day: Date | None = None
    at: Moment | None = None
    owner: Reference = 1
    colour: Colour = Colour.RED
    tags: Tags = []
    extra: Json = None


class ParcelQuery(Query):
    whole: Whole | None = None
    number: Number | None = None
    plain: float | None = None
    price: Money | None = None
    day: Date | None = None
    at: Moment | None = None
    colour: Colour | None = None


class ParcelRead(Record):
    price: Money
    day: Date


def nested(depth: int) -> str:
    return "[" * depth + "]" * depth


TAKEN: list[tuple[str, str, Any]] = [
    ("whole", "-2147483648", -(2**31)),
    # To JSON Schema, and to JavaScript, this is a whole number.
    ("whole", "7.0", 7),
    ("positive", "1e2", 100),
    ("owner", "12.0", 12),
    ("integer", "-3.0", -3),
    ("integers", "[1, 2.0]", [1, 2]),
    ("big", "9223372036854775807", 2**63 - 1),
    ("number", "1.5", 1.5),
    ("number", "2", 2.0),
    ("price", "12.3", Decimal("12.3")),
    ("price", '"-12.30"', Decimal("-12.30")),
    ("price", "0.30000000000000004", Decimal("0.3")),
    ("price", "999999999999.99", Decimal("999999999999.99")),
    ("price", "7", Decimal(7)),
    ("weight", "1e-3", Decimal("0.001")),
    ("long", '"9999999999999999.99"', Decimal("9999999999999999.99")),
    ("count", "-999", Decimal(-999)),
    ("share", '"0.25"', Decimal("0.25")),
    ("day", '"2024-02-29"', date(2024, 2, 29)),
    ("at", '"2026-12-24T10:00:00+05:45"', datetime(2026, 12, 24, 4, 15, tzinfo=UTC)),
    ("at", '"0001-01-01T00:00:00.000001Z"', datetime(1, 1, 1, 0, 0, 0, 1, UTC)),
    ("owner", "1", 1),
    ("colour", '"Green"', Colour.GREEN),
    ("tags", '["a", "b"]', ["a", "b"]),
    ("extra", '{"a": [1, 2.5, "b", null, true]}', {"a": [1, 2.5, "b", None, True]}),
    ("extra", nested(20), json.loads(nested(20))),
]
REFUSED = [
    ("whole", "2147483648"),
    ("whole", "-2147483649"),
    ("whole", "1.5"),
    ("whole", "true"),
    ("whole", '"7"'),
    ("whole", "2147483648.0"),
    ("integer", "1e999"),
    ("positive", "0.0"),
    ("big", "9223372036854775808"),
    ("number", "NaN"),
    ("number", "-Infinity"),
    ("number", "1e999"),
    ("plain", "NaN"),
    ("plain", "1e999"),
    ("price", "0.005"),
    ("price", '"0.005"'),
    ("price", '"1e3"'),
    ("price", '"1_0"'),
    ("price", '" 1"'),
    ("price", '"NaN"'),
    ("price", "NaN"),
    ("price", "1e999"),
    ("price", "true"),
    ("price", "[]"),
    ("price", "1000000000000"),
    ("weight", '"-1"'),
    ("long", "1234567890123456.78"),
    ("count", '"1.0"'),
    ("share", '"1.25"'),
    ("positive", "0"),
    ("positive", "2147483648"),
    ("day", '"2026-02-30"'),
    ("day", '"2026-12-24T00:00:00"'),
    ("day", '"1700000000"'),
    ("day", "20261224"),
    ("at", '"2026-12-24T10:00:00"'),
    ("at", '"2026-12-24"'),
    ("at", '"1700000000"'),
    ("at", "1700000000"),
    ("at", '"9999-12-31T23:59:59-12:00"'),
    ("at", '"0001-01-01T00:00:00+12:00"'),
    ("owner", "0"),
    ("owner", "9223372036854775808"),
    ("colour", '"RED"'),
    ("tags", '["a", "a"]'),
    ("tags", '[""]'),
    # A filter separates its values by commas, so that nobody could ask for it.
    ("tags", '["red, white"]'),
    ("tags", json.dumps([str(number) for number in range(51)])),
    ("extra", '{"a": [NaN]}'),
    ("extra", "1e999"),
    ("extra", '{"\\u0000": 1}'),
    ("extra", '["a\\u0000"]'),
    ("extra", "9223372036854775808"),
    ("extra", nested(21)),
]


@pytest.mark.parametrize(("field", "body", "value"), TAKEN)
def test_a_body_may_have(field: str, body: str, value: Any) -> None:
    parcel = Parcel.model_validate_json(f'{{"{field}": {body}}}')
    found = getattr(parcel, field)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(("field", "body"), REFUSED)
def test_a_body_may_not_have(field: str, body: str) -> None:
    with pytest.raises(ValidationError) as raised:
        Parcel.model_validate_json(f'{{"{field}": {body}}}')
    assert {error["loc"][0] for error in raised.value.errors()} == {field}


@pytest.mark.parametrize(
    ("field", "text", "value"),
    [
        ("whole", "2147483647", 2**31 - 1),
        ("price", "12.30", Decimal("12.30")),
        ("day", "2026-12-24", date(2026, 12, 24)),
        ("at", "2026-12-24T10:00:00Z", datetime(2026, 12, 24, 10, tzinfo=UTC)),
        ("colour", "blue", Colour.BLUE),
    ],
)
def test_a_query_may_have(field: str, text: str, value: Any) -> None:
    assert getattr(ParcelQuery.model_validate({field: text}), field) == value


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("whole", "2147483648"),
        ("whole", "9" * 5000),
        ("number", "nan"),
        ("number", "inf"),
        ("plain", "1e999"),
        ("price", "nan"),
        ("price", "0.005"),
        ("day", "1700000000"),
        ("at", "2026-12-24T10:00:00"),
        ("at", "1700000000"),
        ("at", "9999-12-31T23:59:59-12:00"),
        ("colour", "RED"),
    ],
)
def test_a_query_may_not_have(field: str, text: str) -> None:
    with pytest.raises(ValidationError):
        ParcelQuery.model_validate({field: text})


def test_the_document_tells_the_limits_of_bodies() -> None:
    properties = Parcel.model_json_schema()["properties"]
    assert (properties["whole"]["minimum"], properties["whole"]["maximum"]) == (-(2**31), 2**31 - 1)
    assert (properties["positive"]["minimum"], properties["positive"]["maximum"]) == (1, 2**31 - 1)
    assert properties["weight"]["anyOf"] == [
        {"type": "number", "minimum": 0, "maximum": 999999.999, "multipleOf": 0.001},
        {"type": "string", "pattern": r"^[0-9]{1,6}(?:\.[0-9]{1,3})?$"},
    ]
    assert properties["long"]["type"] == "string"
    # With the format int64, hey-api's clients would send a BigInt as text.
    assert properties["owner"].keys() == {"default", "maximum", "minimum", "title", "type"}
    assert properties["integer"] == {"default": 0, "title": "Integer", "type": "integer"}
    assert properties["count"]["anyOf"][1]["pattern"] == "^-?[0-9]{1,3}$"
    assert (properties["tags"]["maxItems"], properties["tags"]["uniqueItems"]) == (50, True)


def test_an_amount_in_an_answer_is_text() -> None:
    parcel = ParcelRead(id=1, price=Decimal("12.30"), day=date(2026, 12, 24))
    assert json.loads(parcel.model_dump_json()) == {"id": 1, "price": "12.30", "day": "2026-12-24"}
    schema = ParcelRead.model_json_schema(mode="serialization")["properties"]["price"]
    assert {"type": "string", "pattern": r"^-?[0-9]{1,12}(?:\.[0-9]{1,2})?$"}.items() <= schema.items()


@pytest.mark.parametrize(("digits", "scale"), [(19, 2), (2, 3), (2, -1)])
def test_an_amount_that_a_column_cannot_keep_exactly_is_refused(digits: int, scale: int) -> None:
    with pytest.raises(ValueError, match=rf"Amount\({digits}, {scale}\)"):
        AmountColumn(digits, scale)


def test_an_amount_is_a_number_of_units_on_sqlite_alone() -> None:
    column, lite, large = AmountColumn(9, 2), sqlite.dialect(), postgresql.dialect()  # type: ignore[no-untyped-call]
    assert isinstance(column.load_dialect_impl(lite), BigInteger)
    assert isinstance(column.load_dialect_impl(large), Numeric)
    assert column.process_bind_param(Decimal("12.30"), lite) == 1230
    assert column.process_bind_param(Decimal("12.30"), large) == Decimal("12.30")
    assert str(column.process_result_value(1230, lite)) == "12.30"


def test_an_amount_with_more_decimals_than_its_column_is_not_rounded() -> None:
    with pytest.raises(ValueError, match="at most 2 decimals"):
        AmountColumn(9, 2).process_bind_param(Decimal("0.005"), postgresql.dialect())  # type: ignore[no-untyped-call]


def test_a_choice_takes_a_member_or_its_value_and_nothing_else() -> None:
    column, lite = Choice(Colour), sqlite.dialect()
    assert [column.process_bind_param(value, lite) for value in (Colour.RED, "red", None)] == ["red", "red", None]
    with pytest.raises(ValueError, match="pink"):
        column.process_bind_param("pink", lite)


@pytest.mark.parametrize(
    ("field", "text", "detail"),
    [
        ("day", "2026-02-30", "Must be a date, such as 2026-11-25."),
        ("day", "2026-2-3", "Must be a date, such as 2026-11-25."),
        *(
            ("at", text, "Must be a date, a time and a zone, such as 2026-11-25T14:30:00Z.")
            for text in (
                "2026-12-24T10:00:00",
                "2026-12-24T25:00:00Z",
                "2026-12-24T10:00:00+99:00",
                "2026-02-30T10:00Z",
            )
        ),
    ],
)
def test_a_wrong_date_or_moment_is_told_what_is_wanted(field: str, text: str, detail: str) -> None:
    with pytest.raises(ValidationError) as raised:
        Parcel.model_validate_json(json.dumps({field: text}))
    assert [detail_of(problem) for problem in first_problems(raised.value)] == [detail]


class Crate(Input):
    is_open: bool = False
    parcels: list[int] = Field(default=[], max_length=2)


@pytest.mark.parametrize(
    ("crate", "detail"),
    [
        ({"is_open": "perhaps"}, "Must be true or false."),
        ({"parcels": [1, 2, 3]}, "List should have at most 2 items, not 3."),
    ],
)
def test_what_is_wrong_with_a_boolean_or_a_list_is_said_plainly(crate: dict[str, object], detail: str) -> None:
    with pytest.raises(ValidationError) as raised:
        Crate.model_validate_json(json.dumps(crate))
    assert [detail_of(problem) for problem in first_problems(raised.value)] == [detail]
