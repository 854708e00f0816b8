"""FastAPI with SQLAlchemy's asyncio, as its documentation's chapter on databases has it."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, Query
from fastapi.security import OAuth2PasswordBearer
from sqlalchemy.ext.asyncio import AsyncSession

from bench.jobs import PERMISSION
from bench.peers import account_store, invoice_store, store
from bench.peers.schemas import (
    InvoiceCreate,
    InvoicePage,
    InvoiceRead,
    UserCreate,
    UserPage,
    UserQuery,
    UserRead,
    UserUpdate,
)

app = FastAPI()


async def get_session() -> AsyncIterator[AsyncSession]:
    async with store.sessions() as session:
        yield session


Session = Annotated[AsyncSession, Depends(get_session)]


@app.get("/health/live")
async def live() -> dict[str, object]:
    return {"status": "ok", "checks": {}}


@app.get("/api/users", response_model=UserPage)
async def list_users(query: Annotated[UserQuery, Query()], session: Session) -> object:
    users = await store.list_users(session, query.limit + 1, query.cursor)
    more = len(users) > query.limit
    return {"items": users[: query.limit], "next_cursor": str(users[-2].id) if more else None}


@app.get("/api/users/{user_id}", response_model=UserRead)
async def get_user(user_id: int, session: Session) -> object:
    user = await store.get_user(session, user_id)
    if user is None:
        raise HTTPException(404)
    return user


async def get_account(
    token: Annotated[str, Depends(OAuth2PasswordBearer("/api/auth/login"))], session: Session
) -> tuple[account_store.Account, frozenset[str]]:
    found = await account_store.find_account(session, token)
    if found is None:
        raise HTTPException(401, headers={"WWW-Authenticate": "Bearer"})
    return found


async def may_read(account: Annotated[tuple[account_store.Account, frozenset[str]], Depends(get_account)]) -> None:
    if PERMISSION not in account[1]:
        raise HTTPException(403)


@app.get("/api/guarded/users/{user_id}", response_model=UserRead, dependencies=[Depends(may_read)])
async def get_user_by_token(user_id: int, session: Session) -> object:
    return await get_user(user_id, session)


@app.patch("/api/users/{user_id}", response_model=UserRead)
async def update_user(user_id: int, change: UserUpdate, session: Session) -> object:
    user = await store.update_user(session, user_id, change.model_dump(exclude_unset=True))
    if user is None:
        raise HTTPException(404)
    return user


@app.post("/api/users", response_model=UserRead, status_code=201)
async def create_user(new: UserCreate, session: Session) -> object:
    return await store.create_user(session, new.model_dump())


@app.get("/api/invoices", response_model=InvoicePage)
async def list_invoices(query: Annotated[UserQuery, Query()], session: Session) -> object:
    invoices = await invoice_store.list_invoices(session, query.limit + 1, query.cursor)
    more = len(invoices) > query.limit
    return {"items": invoices[: query.limit], "next_cursor": str(invoices[-2].id) if more else None}


@app.get("/api/invoices/{invoice_id}", response_model=InvoiceRead)
async def get_invoice(invoice_id: int, session: Session) -> object:
    invoice = await invoice_store.get_invoice(session, invoice_id)
    if invoice is None:
        raise HTTPException(404)
    return invoice


@app.post("/api/invoices", response_model=InvoiceRead, status_code=201)
async def create_invoice(new: InvoiceCreate, session: Session) -> object:
    return await invoice_store.create_invoice(session, new.model_dump())
