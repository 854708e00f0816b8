"""A domain with every kind of relation, from tables to views, apart from the application's own tables."""

from typing import Annotated

from dependency_injector import providers
from dependency_injector.wiring import Provide
from flask import url_for
from pydantic import MISSING
from sqlalchemy import CheckConstraint, MetaData, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship
from support.apart import Apart

from carboy.api import ApiBlueprint, Created, Expected
from carboy.daos.base import Dao
from carboy.errors import ConflictError, NotFoundError
from carboy.models import Base, KeyText, SoftDeleted, link_table, reference, unique_unless_deleted
from carboy.schemas.base import Change, Input, Page, PageQuery, Record, Versions
from carboy.services import Cursors, Service, UnitOfWork, read_only, transactional
from containers import Container

metadata = MetaData(naming_convention=Base.metadata.naming_convention)


class Tables(Apart):
    __abstract__ = True
    metadata = metadata


class Owner(Tables):
    __tablename__ = "apart_owners"

    name: Mapped[str] = mapped_column(KeyText, unique=True)
    password_hash: Mapped[str] = mapped_column(Text)
    invoices: Mapped[list["Invoice"]] = relationship(lazy="raise", viewonly=True)


class Project(Tables):
    __tablename__ = "apart_projects"

    name: Mapped[str] = mapped_column(Text)
    parent_id: Mapped[int | None] = reference("apart_projects.id")
    parts: Mapped[list["Project"]] = relationship(lazy="raise")


class Supplier(SoftDeleted, Tables):
    __tablename__ = "apart_suppliers"
    __table_args__ = (unique_unless_deleted("name"), Base.__table_args__)

    name: Mapped[str] = mapped_column(KeyText)
    contacts: Mapped[list["Contact"]] = relationship(lazy="raise")


class Contact(SoftDeleted, Tables):
    __tablename__ = "apart_contacts"

    supplier_id: Mapped[int] = reference("apart_suppliers.id")
    name: Mapped[str] = mapped_column(Text)


class Tag(Tables):
    __tablename__ = "apart_tags"

    name: Mapped[str] = mapped_column(String(20, collation="C").with_variant(String(20), "sqlite"), unique=True)
    invoices: Mapped[list["Invoice"]] = relationship(
        secondary="apart_invoice_tags", lazy="raise", back_populates="tags"
    )


class Invoice(Tables):
    __tablename__ = "apart_invoices"

    number: Mapped[str] = mapped_column(KeyText, unique=True)
    owner_id: Mapped[int] = reference("apart_owners.id")
    project_id: Mapped[int | None] = reference("apart_projects.id", ondelete="SET NULL")
    supplier_id: Mapped[int | None] = reference("apart_suppliers.id")
    owner: Mapped[Owner] = relationship(lazy="raise", info={"value": "name"})
    project: Mapped[Project | None] = relationship(lazy="raise")
    supplier: Mapped[Supplier | None] = relationship(lazy="raise")
    lines: Mapped[list["Line"]] = relationship(order_by="Line.position", lazy="raise", back_populates="invoice")
    tags: Mapped[list[Tag]] = relationship(
        secondary="apart_invoice_tags", lazy="raise", back_populates="invoices", info={"value": "name"}
    )
    reviewers: Mapped[list[Owner]] = relationship(secondary="invoice_owners", lazy="raise")


class Line(Tables):
    __tablename__ = "apart_lines"
    __table_args__ = (
        UniqueConstraint("invoice_id", "text", name="uq_line"),
        CheckConstraint("text <> ''", "text"),
        Base.__table_args__,
    )

    invoice_id: Mapped[int] = reference("apart_invoices.id", ondelete="CASCADE")
    position: Mapped[int] = mapped_column(default=0)
    text: Mapped[str] = mapped_column(Text)
    note: Mapped[str | None] = mapped_column(String(20))
    payer_id: Mapped[int | None] = reference("apart_owners.id")
    invoice: Mapped[Invoice] = relationship(lazy="raise", back_populates="lines")


invoice_tags = link_table("apart_invoice_tags", "apart_invoices.id", "apart_tags.id", metadata=metadata)
invoice_owners = link_table("invoice_owners", "apart_invoices.id", "apart_owners.id", metadata=metadata)


class OwnerBrief(Record):
    name: str


class Credentials(OwnerBrief):
    password_hash: str


class ProjectTree(Record):
    name: str
    parts: list["ProjectTree"]


class SupplierRead(Record):
    name: str
    contacts: list["ContactRead"]
    version: int


class ContactRead(Record):
    name: str


class TagRead(Record):
    name: str


class LineRead(Record):
    text: str
    note: str | None
    version: int


class ApartInvoiceRead(Record):
    number: str
    owner: OwnerBrief
    project: ProjectTree | None
    supplier: SupplierRead | None
    lines: list[LineRead]
    tags: list[str]
    version: int


class InvoiceIds(Record):
    """The same row with what it is related to by id, or by name."""

    owner_id: int
    owner: Annotated[str, "no record"]
    lines: list[int]
    reviewers: list[int]


class LineCreate(Input):
    id: int | None = None
    text: str
    note: str | MISSING | None = MISSING
    payer_id: int | MISSING | None = MISSING


class InvoiceCreate(Input):
    number: str
    owner_id: int
    project_id: int | None = None
    supplier_id: int | None = None
    lines: list[LineCreate] = []
    tags: list[str] = []


class InvoiceUpdate(Change):
    number: str | MISSING = MISSING
    owner_id: int | MISSING = MISSING
    lines: list[LineCreate] | MISSING = MISSING
    tags: list[str] | MISSING = MISSING


class InvoiceNotFoundError(NotFoundError):
    code, message = "invoice_not_found", "There is no such invoice."


class RowNotFoundError(NotFoundError):
    code, message = "row_not_found", "There is no such row."


class NameTakenError(ConflictError):
    code, message = "name_taken", "Another supplier has this name."


class LineTwiceError(ConflictError):
    code, message = "line_twice", "Two lines of an invoice have the same text."


class OwnerDao(Dao[OwnerBrief]):
    model, record, not_found = Owner, OwnerBrief, RowNotFoundError
    touches = ("invoices",)


class ProjectDao(Dao[ProjectTree]):
    model, record, not_found = Project, ProjectTree, RowNotFoundError


class SupplierDao(Dao[SupplierRead]):
    model, record, not_found = Supplier, SupplierRead, RowNotFoundError
    conflicts = {"name": NameTakenError}


class TagDao(Dao[TagRead]):
    model, record, not_found = Tag, TagRead, RowNotFoundError
    touches = ("invoices",)


class LineDao(Dao[LineRead]):
    model, record, not_found = Line, LineRead, RowNotFoundError
    touches = ("invoice",)


class InvoiceDao(Dao[ApartInvoiceRead]):
    model, record, not_found = Invoice, ApartInvoiceRead, InvoiceNotFoundError
    conflicts = {"uq_line": LineTwiceError}


class InvoiceService(Service):
    def __init__(self, unit_of_work: UnitOfWork, invoices: InvoiceDao, cursors: Cursors) -> None:
        super().__init__(unit_of_work)
        self._invoices, self._cursors = invoices, cursors

    @read_only
    async def list_invoices(self, query: PageQuery) -> Page[ApartInvoiceRead]:
        return await self._cursors.page(self._invoices, query)

    @read_only
    async def get_invoice(self, invoice_id: int) -> ApartInvoiceRead:
        return await self._invoices.get(invoice_id)

    @transactional
    async def create_invoice(self, new: InvoiceCreate) -> ApartInvoiceRead:
        return await self._invoices.add(new.model_dump())

    @transactional
    async def update_invoice(
        self, invoice_id: int, change: InvoiceUpdate, versions: Versions = None
    ) -> ApartInvoiceRead:
        return await self._invoices.update(invoice_id, change.model_dump(), versions=versions)


class InvoicesContainer(Container):
    __self__ = Container.__self__
    apart_invoice_dao = providers.Singleton(InvoiceDao, database=Container.database)
    apart_invoice_service = providers.Singleton(
        InvoiceService, unit_of_work=Container.database, invoices=apart_invoice_dao, cursors=Container.cursors
    )


invoices = ApiBlueprint("apart_invoices", __name__, url_prefix="/api/apart/invoices", description="What is to be paid.")
Invoices = Annotated[InvoiceService, Provide["apart_invoice_service"]]


@invoices.get("")
async def list_apart_invoices(query: PageQuery, service: Invoices) -> Page[ApartInvoiceRead]:
    """List invoices."""
    return await service.list_invoices(query)


@invoices.post("")
async def create_apart_invoice(new: InvoiceCreate, service: Invoices) -> Created[ApartInvoiceRead]:
    """Create an invoice."""
    invoice = await service.create_invoice(new)
    return Created(invoice, url_for(".get_apart_invoice", invoice_id=invoice.id))


@invoices.get("/<int:invoice_id>", errors=[InvoiceNotFoundError])
async def get_apart_invoice(invoice_id: int, service: Invoices) -> ApartInvoiceRead:
    """Get an invoice."""
    return await service.get_invoice(invoice_id)


@invoices.patch("/<int:invoice_id>", errors=[InvoiceNotFoundError])
async def update_apart_invoice(
    invoice_id: int, change: InvoiceUpdate, expected: Expected, service: Invoices
) -> ApartInvoiceRead:
    """Change an invoice."""
    return await service.update_invoice(invoice_id, change, expected)
