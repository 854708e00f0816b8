"""Schemas and tables that do not fit each other are told by name."""

from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, TypeVar

import pytest
from pydantic import MISSING, BaseModel, Field, StringConstraints, create_model
from sqlalchemy import Numeric
from sqlalchemy.orm import Mapped, mapped_column
from support.kinds import Box, BoxDao, Colour, Tables

from carboy.daos.base import Dao
from carboy.daos.schema_declarations import inputs_of
from carboy.schemas import BigWhole, Date, Moment, Money, Number, Reference, Tags, Whole
from carboy.schemas.base import Change, Input, Record
from carboy.testing import misfits_in
from carboy.testing.fits import misfits_of
from containers import Container

ModelT = TypeVar("ModelT", bound=BaseModel)


class Shade(StrEnum):
    RED = "red"
    PINK = "pink"


class BoxCreate(Input):
    shelf_id: Reference | None = None
    label: Annotated[str, StringConstraints(max_length=20)]
    colour: Colour = Colour.RED
    price: Money | None = None
    weight: Number | None = None
    quantity: Annotated[Whole, Field(ge=0)] | None = None
    grains: BigWhole | None = None
    packed_on: Date | None = None
    opened_at: Moment | None = None
    tags: Tags | None = None
    password: str = ""


class BoxUpdate(Change):
    label: Annotated[str, StringConstraints(max_length=20)] | MISSING = MISSING
    lid: Colour | MISSING | None = MISSING


class Crate(Tables):
    __tablename__ = "crates"

    price: Mapped[Decimal] = mapped_column(Numeric(9, 2))


class CrateRead(Record):
    price: Decimal


class CrateDao(Dao[CrateRead]):
    model, record = Crate, CrateRead


class CrateCreate(Input):
    price: Decimal


def model_of(name: str, base: type[ModelT], field: str, annotation: Any) -> type[ModelT]:
    make: Any = create_model
    model: type[ModelT] = make(name, __base__=base, **{field: (annotation, ...)})
    return model


def test_the_schemas_of_the_application_fit_their_columns(container: Container) -> None:
    assert misfits_in(container) == []


def test_kinds_of_the_same_name_fit_each_other() -> None:
    assert misfits_of(BoxDao, BoxCreate, BoxUpdate) == []


@pytest.mark.parametrize(
    ("field", "annotation", "sentence"),
    [
        ("label", str, "takes text of any characters, but apart_boxes.label holds 20."),
        ("label", Annotated[str, Field(max_length=21)], "takes text of 21 characters, but apart_boxes.label holds 20."),
        ("label", Annotated[str, Field(max_length=9)] | None, "may be null, but apart_boxes.label may not."),
        ("quantity", BigWhole, "takes whole numbers of more than 32 bits, but apart_boxes.quantity has 32."),
        ("quantity", int, "takes whole numbers of more than 32 bits, but apart_boxes.quantity has 32."),
        ("grains", int | None, "takes whole numbers of more than 64 bits, but apart_boxes.grains has 64."),
        ("colour", Shade, "takes values that apart_boxes.colour does not: pink."),
        ("lid", Shade | MISSING | None, "takes values that apart_boxes.lid does not: pink."),
    ],
)
def test_an_input_that_takes_more_than_its_column_is_told(field: str, annotation: Any, sentence: str) -> None:
    schema = model_of("BoxCreate", Input, field, annotation)
    assert misfits_of(BoxDao, schema) == [f"BoxCreate.{field} {sentence}"]


def test_a_decimal_that_sqlite_would_not_keep_is_told() -> None:
    told = "CrateCreate.price is a decimal, which SQLite does not keep exactly: make crates.price an Amount."
    assert {*misfits_of(CrateDao, CrateCreate)} == {told}


def test_inputs_are_found_by_the_name_of_the_record() -> None:
    assert inputs_of(CrateRead) == [CrateCreate]


@pytest.mark.parametrize(
    ("field", "annotation", "sentence"),
    [
        ("weight", float, "is never null, but apart_boxes.weight may be."),
        ("colour", Shade, "takes values that apart_boxes.colour does not: pink."),
        ("nothing", int, "is no column of apart_boxes."),
    ],
)
def test_a_record_that_reads_what_its_table_has_not_is_told(field: str, annotation: Any, sentence: str) -> None:
    class OddDao(Dao[Any]):
        model, record = Box, model_of("BoxRead", Record, field, annotation)

    assert misfits_of(OddDao) == [f"BoxRead.{field} {sentence}"]
