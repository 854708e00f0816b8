"""Quart with SQLAlchemy's asyncio and pydantic."""

from pydantic import BaseModel
from quart import Quart, Response, abort, request

from bench.peers import store
from bench.peers.schemas import UserCreate, UserPage, UserQuery, UserRead, UserUpdate

app = Quart(__name__)


def answer(model: BaseModel, status: int = 200) -> Response:
    return Response(model.model_dump_json(), status, mimetype="application/json")


@app.get("/health/live")
async def live() -> dict[str, object]:
    return {"status": "ok", "checks": {}}


@app.get("/api/users")
async def list_users() -> Response:
    query = UserQuery.model_validate(request.args.to_dict())
    async with store.sessions() as session:
        users = await store.list_users(session, query.limit + 1, query.cursor)
    items = [UserRead.model_validate(user) for user in users[: query.limit]]
    more = len(users) > query.limit
    return answer(UserPage(items=items, next_cursor=str(items[-1].id) if more else None))


@app.get("/api/users/<int:user_id>")
async def get_user(user_id: int) -> Response:
    async with store.sessions() as session:
        user = await store.get_user(session, user_id)
    if user is None:
        abort(404)
    return answer(UserRead.model_validate(user))


@app.patch("/api/users/<int:user_id>")
async def update_user(user_id: int) -> Response:
    change = UserUpdate.model_validate_json(await request.get_data())
    async with store.sessions() as session:
        user = await store.update_user(session, user_id, change.model_dump(exclude_unset=True))
    if user is None:
        abort(404)
    return answer(UserRead.model_validate(user))


@app.post("/api/users")
async def create_user() -> Response:
    new = UserCreate.model_validate_json(await request.get_data())
    async with store.sessions() as session:
        user = await store.create_user(session, new.model_dump())
    return answer(UserRead.model_validate(user), 201)
