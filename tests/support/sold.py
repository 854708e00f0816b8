"""Tables whose lists have all that a list can have, in metadata of their own: no migration knows of them."""

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any

from pydantic import AfterValidator
from sqlalchemy import Column, ForeignKey, Index, MetaData, String, Table
from sqlalchemy.orm import Mapped, mapped_column, relationship
from support.apart import Apart

from carboy.daos.base import Dao
from carboy.errors import NotFoundError
from carboy.models import Amount, Base, KeyText, choice, reference
from carboy.schemas import Date, Moment, Text, Whole
from carboy.schemas.base import PageQuery, Record, sort_by
from carboy.schemas.filters import After, AnyOf, AtLeast, AtMost, Before, Equal, IsSet, Related
from carboy.schemas.text import Search, fold

metadata = MetaData(naming_convention=Base.metadata.naming_convention)


class Tables(Apart):
    __abstract__ = True
    metadata = metadata


class Status(StrEnum):
    """Not declared in the order of its values."""

    SENT = "sent"
    DRAFT = "draft"
    PAID = "paid"


sale_labels = Table(
    "apart_sale_labels",
    metadata,
    Column("sale_id", ForeignKey("apart_sales.id"), primary_key=True),
    Column("label_id", ForeignKey("apart_labels.id"), primary_key=True),
)


class Seller(Tables):
    __tablename__ = "apart_sellers"

    name: Mapped[str] = mapped_column(String(80))
    name_key: Mapped[str] = mapped_column(KeyText, unique=True)


class Label(Tables):
    __tablename__ = "apart_labels"

    name: Mapped[str] = mapped_column(KeyText, unique=True)


class Sale(Tables):
    __tablename__ = "apart_sales"
    __table_args__: Any = (
        *(Index(None, name, "id") for name in ("amount", "due_on", "remind_at", "status", "weight", "quantity")),
        Base.__table_args__,
    )
    __search__ = ("note_key",)

    seller_id: Mapped[int] = reference("apart_sellers.id")
    instead_of_id: Mapped[int | None] = reference("apart_sales.id")
    amount: Mapped[Decimal] = mapped_column(Amount(12, 2))
    due_on: Mapped[date | None]
    remind_at: Mapped[datetime | None]
    status: Mapped[Status] = choice(Status)
    weight: Mapped[float | None]
    quantity: Mapped[int | None]
    number: Mapped[str | None] = mapped_column(KeyText, unique=True)
    note_key: Mapped[str | None] = mapped_column(KeyText)
    # Names that parameters of lists, of DAOs and of statements have too.
    place: Mapped[str | None]
    search: Mapped[str | None]
    sort: Mapped[str | None]
    limit: Mapped[str | None]
    rows: Mapped[str | None]
    query: Mapped[str | None]
    cursor: Mapped[str | None]
    count: Mapped[str | None]
    index: Mapped[str | None]

    seller: Mapped[Seller] = relationship(lazy="raise")
    labels: Mapped[list[Label]] = relationship(secondary=sale_labels, lazy="raise")
    instead_of: Mapped["Sale | None"] = relationship(lazy="raise", remote_side="Sale.id")


class SaleNotFoundError(NotFoundError):
    code, message = "sale_not_found", "There is no such sale."


class SaleRead(Record):
    amount: Decimal


SORTED = ("amount", "due_on", "remind_at", "status", "weight", "quantity", "number", "count")


class SaleQuery(PageQuery):
    sort: Annotated[str, sort_by(*SORTED)] = "id"
    q: Search | None = None
    status: AnyOf[Status] | None = None
    due_before: Annotated[Date, Before("due_on")] | None = None
    due_after: Annotated[Date, After("due_on")] | None = None
    remind_after: Annotated[Moment, After("remind_at")] | None = None
    at_least: Annotated[Decimal, AtLeast("amount")] | None = None
    at_most: Annotated[Decimal, AtMost("amount")] | None = None
    quantities: Annotated[AnyOf[Whole], Equal("quantity")] | None = None
    reminded: Annotated[bool, IsSet("remind_at")] | None = None
    seller: Annotated[Text, AfterValidator(fold), Related("seller", "name_key")] | None = None
    label: Annotated[AnyOf[Text], Related("labels", "name")] | None = None
    instead_of_seller: Annotated[Text, Related("instead_of", Related("seller", "name_key"))] | None = None
    place: Text | None = None
    search: Text | None = None
    rows: Text | None = None
    query: Text | None = None
    index: Text | None = None
    sort_is: Annotated[Text, Equal("sort")] | None = None
    limit_is: Annotated[Text, Equal("limit")] | None = None
    cursor_is: Annotated[Text, Equal("cursor")] | None = None


class SaleDao(Dao[SaleRead]):
    model, record, not_found, query = Sale, SaleRead, SaleNotFoundError, SaleQuery
