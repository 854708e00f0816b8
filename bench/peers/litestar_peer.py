"""Litestar with SQLAlchemy's asyncio and its native models, msgspec's."""

from collections.abc import AsyncIterator
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Literal

import msgspec
from litestar import Litestar, Request, get, patch, post
from litestar.datastructures import State
from litestar.di import Provide
from litestar.exceptions import NotAuthorizedException, NotFoundException, PermissionDeniedException
from litestar.params import Parameter
from sqlalchemy.ext.asyncio import AsyncSession

from bench.jobs import PERMISSION
from bench.peers import account_store, invoice_store, store

Username = Annotated[str, msgspec.Meta(min_length=1, max_length=80)]
Email = Annotated[str, msgspec.Meta(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$", max_length=120)]
FullName = Annotated[str, msgspec.Meta(max_length=200)]


class UserCreate(msgspec.Struct):
    username: Username
    email: Email
    full_name: FullName | None = None
    active: bool = True


class UserUpdate(msgspec.Struct, omit_defaults=True):
    username: Username | msgspec.UnsetType = msgspec.UNSET
    email: Email | msgspec.UnsetType = msgspec.UNSET
    full_name: FullName | msgspec.UnsetType | None = msgspec.UNSET
    active: bool | msgspec.UnsetType = msgspec.UNSET


class UserRead(msgspec.Struct):
    id: int
    username: str
    email: str
    full_name: str | None
    active: bool
    created_at: datetime
    updated_at: datetime
    version: int


class UserPage(msgspec.Struct):
    items: list[UserRead]
    next_cursor: str | None
    previous_cursor: str | None = None
    total: int | None = None


class LineCreate(msgspec.Struct):
    text: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    price: Decimal


class InvoiceCreate(msgspec.Struct):
    number: Annotated[str, msgspec.Meta(min_length=1, max_length=30)]
    owner_id: Annotated[int, msgspec.Meta(ge=1)]
    amount: Decimal
    due_on: date
    quantity: int = 1
    status: Literal["draft", "sent", "paid"] = "draft"
    remind_at: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    weight: float | None = None
    lines: list[LineCreate] = []
    tags: list[Annotated[str, msgspec.Meta(min_length=1, max_length=50)]] = []


class OwnerRead(msgspec.Struct):
    id: int
    username: str


class LineRead(msgspec.Struct):
    id: int
    text: str
    price: Decimal


class InvoiceRead(msgspec.Struct):
    id: int
    number: str
    owner: OwnerRead
    amount: Decimal
    due_on: date
    quantity: int
    status: str
    remind_at: datetime | None
    weight: float | None
    lines: list[LineRead]
    tags: list[str]
    version: int


class InvoicePage(msgspec.Struct):
    items: list[InvoiceRead]
    next_cursor: str | None
    previous_cursor: str | None = None
    total: int | None = None


def read(user: store.User | None) -> UserRead:
    if user is None:
        raise NotFoundException
    return msgspec.convert(user, UserRead, from_attributes=True)


def read_invoice(invoice: invoice_store.Invoice | None) -> InvoiceRead:
    if invoice is None:
        raise NotFoundException
    owner, lines = invoice.owner, invoice.lines
    return InvoiceRead(
        id=invoice.id,
        number=invoice.number,
        owner=OwnerRead(owner.id, owner.username),
        amount=invoice.amount,
        due_on=invoice.due_on,
        quantity=invoice.quantity,
        status=invoice.status,
        remind_at=invoice.remind_at,
        weight=invoice.weight,
        lines=[LineRead(line.id, line.text, line.price) for line in lines],
        tags=[tag.name for tag in invoice.tags],
        version=invoice.version,
    )


async def provide_session() -> AsyncIterator[AsyncSession]:
    async with store.sessions() as session:
        yield session


@get("/health/live")
async def live() -> dict[str, object]:
    return {"status": "ok", "checks": {}}


@get("/api/users")
async def list_users(
    session: AsyncSession, limit: Annotated[int, Parameter(ge=1, le=200)] = 50, cursor: int = 0
) -> UserPage:
    users = await store.list_users(session, limit + 1, cursor)
    items = [read(user) for user in users[:limit]]
    return UserPage(items=items, next_cursor=str(items[-1].id) if len(users) > limit else None)


@get("/api/users/{user_id:int}")
async def get_user(session: AsyncSession, user_id: int) -> UserRead:
    return read(await store.get_user(session, user_id))


async def require_permission(request: Request[None, None, State], session: AsyncSession) -> None:
    allowed = await account_store.may(session, request.headers.get("Authorization"), PERMISSION)
    if not allowed:
        raise NotAuthorizedException if allowed is None else PermissionDeniedException


@get("/api/guarded/users/{user_id:int}", dependencies={"permission": Provide(require_permission)})
async def get_user_by_token(session: AsyncSession, user_id: int, permission: None) -> UserRead:  # noqa: ARG001 - it is asked for by its name.
    return read(await store.get_user(session, user_id))


@patch("/api/users/{user_id:int}")
async def update_user(session: AsyncSession, user_id: int, data: UserUpdate) -> UserRead:
    return read(await store.update_user(session, user_id, msgspec.to_builtins(data)))


@post("/api/users")
async def create_user(session: AsyncSession, data: UserCreate) -> UserRead:
    return read(await store.create_user(session, msgspec.to_builtins(data)))


@get("/api/invoices")
async def list_invoices(
    session: AsyncSession, limit: Annotated[int, Parameter(ge=1, le=200)] = 50, cursor: int = 0
) -> InvoicePage:
    invoices = await invoice_store.list_invoices(session, limit + 1, cursor)
    items = [read_invoice(invoice) for invoice in invoices[:limit]]
    return InvoicePage(items=items, next_cursor=str(items[-1].id) if len(invoices) > limit else None)


@get("/api/invoices/{invoice_id:int}")
async def get_invoice(session: AsyncSession, invoice_id: int) -> InvoiceRead:
    return read_invoice(await invoice_store.get_invoice(session, invoice_id))


@post("/api/invoices")
async def create_invoice(session: AsyncSession, data: InvoiceCreate) -> InvoiceRead:
    values = msgspec.structs.asdict(data) | {"lines": [msgspec.structs.asdict(line) for line in data.lines]}
    return read_invoice(await invoice_store.create_invoice(session, values))


app = Litestar(
    [
        live,
        list_users,
        get_user,
        get_user_by_token,
        update_user,
        create_user,
        list_invoices,
        get_invoice,
        create_invoice,
    ],
    dependencies={"session": Provide(provide_session)},
    openapi_config=None,
)
