"""Tables with a column of each kind, in metadata of their own: the application's migrations know nothing of them."""

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any

from sqlalchemy import CheckConstraint, Index, MetaData, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column
from support.apart import Apart

from carboy.daos.base import Dao
from carboy.errors import ConflictError, NotFoundError
from carboy.models import (
    Amount,
    Base,
    BigWhole,
    Date,
    Json,
    Moment,
    Money,
    Number,
    Tags,
    Whole,
    choice,
    reference,
)
from carboy.schemas.base import PageQuery, Record, sort_by


class Tables(Apart):
    __abstract__ = True
    metadata = MetaData(naming_convention=Base.metadata.naming_convention)


class Colour(StrEnum):
    """Neither declared nor named in the order of its values."""

    RED = "red"
    BLUE = "blue"
    GREEN = "Green"


class Shelf(Tables):
    __tablename__ = "apart_shelves"

    name: Mapped[str] = mapped_column(String(20), unique=True, index=True)
    above_id: Mapped[int | None] = reference("apart_shelves.id")


IS_SEALED = text("sealed")


class Box(Tables):
    __tablename__ = "apart_boxes"
    __table_args__ = (
        UniqueConstraint("shelf_id", "quantity"),
        Index("ix_boxes_seal", "label", unique=True, sqlite_where=IS_SEALED, postgresql_where=IS_SEALED),
        Index("ix_boxes_folded", text("lower(mark)"), unique=True),
        CheckConstraint("quantity >= 0", name="quantity"),
        CheckConstraint("sealed OR lid IS NULL", name="lid_is_sealed"),
        Base.__table_args__,
    )

    shelf_id: Mapped[int | None] = reference("apart_shelves.id")
    next_id: Mapped[int | None] = reference("apart_boxes.id", ondelete="SET NULL")
    label: Mapped[str] = mapped_column(String(20))
    mark: Mapped[str | None] = mapped_column(String(20))
    sealed: Mapped[bool] = mapped_column(default=False)
    colour: Mapped[Colour] = choice(Colour, default=Colour.RED)
    lid: Mapped[Colour | None] = choice(Colour)
    price: Mapped[Money | None]
    load: Mapped[Decimal | None] = mapped_column(Amount(18, 9))
    weight: Mapped[Number | None]
    quantity: Mapped[Whole | None]
    grains: Mapped[BigWhole | None]
    packed_on: Mapped[Date | None]
    opened_at: Mapped[Moment | None]
    extra: Mapped[Json | None]
    tags: Mapped[Tags | None]


class Note(Tables):
    __tablename__ = "apart_notes"

    box_id: Mapped[int] = reference("apart_boxes.id", ondelete="CASCADE")


class ShelfNotFoundError(NotFoundError):
    code, message = "shelf_not_found", "There is no such shelf."


class NameTakenError(ConflictError):
    code, message = "name_taken", "Another shelf has this name."


class SealTakenError(ConflictError):
    code, message = "seal_taken", "Another sealed box has this label."


class PlaceTakenError(ConflictError):
    code, message = "place_taken", "Another box is there."


class ShelfRead(Record):
    name: str
    above_id: int | None


class BoxRead(Record):
    shelf_id: int | None
    label: str
    colour: Colour
    lid: Colour | None
    price: Decimal | None
    load: Decimal | None
    weight: float | None
    quantity: int | None
    grains: int | None
    packed_on: date | None
    opened_at: datetime | None
    extra: Any
    tags: list[str] | None
    created_at: datetime
    version: int


class ShelfDao(Dao[ShelfRead]):
    model, record, not_found = Shelf, ShelfRead, ShelfNotFoundError
    conflicts = {"name": NameTakenError}


class BoxQuery(PageQuery):
    sort: Annotated[str, sort_by("colour", "price", "weight", "packed_on", "created_at")] = "id"


class BoxDao(Dao[BoxRead]):
    model, record, not_found, query = Box, BoxRead, ShelfNotFoundError, BoxQuery
    conflicts = {"ix_boxes_seal": SealTakenError, ("shelf_id", "quantity"): PlaceTakenError}
