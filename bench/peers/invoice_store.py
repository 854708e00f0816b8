"""The tables of invoices of the peers that use SQLAlchemy, and their queries, as its documentation shows them."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Column, Dialect, ForeignKey, Integer, Numeric, Select, Table, TypeDecorator, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, joinedload, mapped_column, relationship, selectinload
from sqlalchemy.types import TypeEngine

from bench.peers.store import Base, User, UtcDateTime


def _now() -> datetime:
    return datetime.now(UTC)


class Money(TypeDecorator[Decimal]):
    """Keeps cents on SQLite, which has no exact decimals."""

    impl = Numeric
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(Integer() if dialect.name == "sqlite" else Numeric(14, 2))

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Any:
        return int(value * 100) if value is not None and dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        return Decimal(value).scaleb(-2) if value is not None and dialect.name == "sqlite" else value


tagged_invoices = Table(
    "tagged_invoices",
    Base.metadata,
    Column("invoices_id", ForeignKey("invoices.id"), primary_key=True),
    Column("invoice_tags_id", ForeignKey("invoice_tags.id"), primary_key=True),
)


class Tag(Base):
    __tablename__ = "invoice_tags"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=_now)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, default=_now)
    version: Mapped[int] = mapped_column(default=1)


class Line(Base):
    __tablename__ = "invoice_lines"

    id: Mapped[int] = mapped_column(primary_key=True)
    invoice_id: Mapped[int] = mapped_column(ForeignKey("invoices.id"))
    position: Mapped[int] = mapped_column(default=0)
    text: Mapped[str]
    price: Mapped[Decimal] = mapped_column(Money)


class Invoice(Base):
    __tablename__ = "invoices"

    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[str]
    owner_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    amount: Mapped[Decimal] = mapped_column(Money)
    due_on: Mapped[date]
    quantity: Mapped[int]
    status: Mapped[str]
    remind_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    weight: Mapped[float | None]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=_now)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, default=_now)
    version: Mapped[int] = mapped_column(default=1)
    owner: Mapped[User] = relationship()
    lines: Mapped[list[Line]] = relationship(order_by=Line.position)
    tags: Mapped[list[Tag]] = relationship(secondary=tagged_invoices, order_by=Tag.name)


def _whole() -> Select[Invoice]:
    return select(Invoice).options(joinedload(Invoice.owner), selectinload(Invoice.lines), selectinload(Invoice.tags))


async def get_invoice(session: AsyncSession, invoice_id: int) -> Invoice | None:
    found: Invoice | None = await session.scalar(_whole().where(Invoice.id == invoice_id))
    return found


async def list_invoices(session: AsyncSession, limit: int, after: int) -> list[Invoice]:
    return list(await session.scalars(_whole().where(Invoice.id > after).order_by(Invoice.id).limit(limit)))


async def create_invoice(session: AsyncSession, values: dict[str, Any]) -> Invoice:
    names = values.pop("tags")
    known = {tag.name: tag for tag in await session.scalars(select(Tag).where(Tag.name.in_(names)))}
    tags = [known.get(name) or Tag(name=name) for name in names]
    invoice = Invoice(**values | {"lines": [Line(**line) for line in values["lines"]], "tags": tags})
    session.add(invoice)
    await session.commit()
    await session.refresh(invoice, ["owner", "lines", "tags"])
    return invoice
