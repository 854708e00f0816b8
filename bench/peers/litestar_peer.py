"""Litestar with SQLAlchemy's asyncio and its native models, msgspec's."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated

import msgspec
from litestar import Litestar, get, patch, post
from litestar.di import Provide
from litestar.exceptions import NotFoundException
from litestar.params import Parameter
from sqlalchemy.ext.asyncio import AsyncSession

from bench.peers import store

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


def read(user: store.User | None) -> UserRead:
    if user is None:
        raise NotFoundException
    return msgspec.convert(user, UserRead, from_attributes=True)


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


@patch("/api/users/{user_id:int}")
async def update_user(session: AsyncSession, user_id: int, data: UserUpdate) -> UserRead:
    return read(await store.update_user(session, user_id, msgspec.to_builtins(data)))


@post("/api/users")
async def create_user(session: AsyncSession, data: UserCreate) -> UserRead:
    return read(await store.create_user(session, msgspec.to_builtins(data)))


app = Litestar(
    [live, list_users, get_user, update_user, create_user],
    dependencies={"session": Provide(provide_session)},
    openapi_config=None,
)
