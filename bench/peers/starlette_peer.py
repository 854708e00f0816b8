"""Starlette with SQLAlchemy's asyncio and pydantic."""

from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bench.jobs import PERMISSION
from bench.peers import account_store, store
from bench.peers.schemas import UserCreate, UserPage, UserQuery, UserRead, UserUpdate


def answer(model: BaseModel, status: int = 200) -> Response:
    return Response(model.model_dump_json(), status, media_type="application/json")


async def live(_request: Request) -> Response:
    return JSONResponse({"status": "ok", "checks": {}})


async def list_users(request: Request) -> Response:
    query = UserQuery.model_validate(dict(request.query_params))
    async with store.sessions() as session:
        users = await store.list_users(session, query.limit + 1, query.cursor)
    items = [UserRead.model_validate(user) for user in users[: query.limit]]
    more = len(users) > query.limit
    return answer(UserPage(items=items, next_cursor=str(items[-1].id) if more else None))


async def get_user(request: Request) -> Response:
    async with store.sessions() as session:
        user = await store.get_user(session, request.path_params["user_id"])
    if user is None:
        raise HTTPException(404)
    return answer(UserRead.model_validate(user))


async def get_user_by_token(request: Request) -> Response:
    async with store.sessions() as session:
        allowed = await account_store.may(session, request.headers.get("Authorization"), PERMISSION)
        if not allowed:
            raise HTTPException(401 if allowed is None else 403)
        user = await store.get_user(session, request.path_params["user_id"])
    if user is None:
        raise HTTPException(404)
    return answer(UserRead.model_validate(user))


async def update_user(request: Request) -> Response:
    change = UserUpdate.model_validate_json(await request.body())
    async with store.sessions() as session:
        user = await store.update_user(session, request.path_params["user_id"], change.model_dump(exclude_unset=True))
    if user is None:
        raise HTTPException(404)
    return answer(UserRead.model_validate(user))


async def create_user(request: Request) -> Response:
    new = UserCreate.model_validate_json(await request.body())
    async with store.sessions() as session:
        user = await store.create_user(session, new.model_dump())
    return answer(UserRead.model_validate(user), 201)


app = Starlette(
    routes=[
        Route("/health/live", live),
        Route("/api/users", list_users),
        Route("/api/users", create_user, methods=["POST"]),
        Route("/api/users/{user_id:int}", get_user),
        Route("/api/guarded/users/{user_id:int}", get_user_by_token),
        Route("/api/users/{user_id:int}", update_user, methods=["PATCH"]),
    ]
)
