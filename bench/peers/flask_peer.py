"""Flask behind asgiref's WsgiToAsgi, the way that Flask documents, with SQLAlchemy's asyncio and pydantic."""

from asgiref.wsgi import WsgiToAsgi
from flask import Flask, Response, abort, request
from pydantic import BaseModel

from bench.peers import store
from bench.peers.schemas import UserCreate, UserPage, UserQuery, UserRead, UserUpdate

flask_app = Flask(__name__)
app = WsgiToAsgi(flask_app)  # type: ignore[no-untyped-call]


def answer(model: BaseModel, status: int = 200) -> Response:
    return Response(model.model_dump_json(), status, mimetype="application/json")


@flask_app.get("/health/live")
async def live() -> dict[str, object]:
    return {"status": "ok", "checks": {}}


@flask_app.get("/api/users")
async def list_users() -> Response:
    query = UserQuery.model_validate(request.args.to_dict())
    async with store.sessions() as session:
        users = await store.list_users(session, query.limit + 1, query.cursor)
    items = [UserRead.model_validate(user) for user in users[: query.limit]]
    more = len(users) > query.limit
    return answer(UserPage(items=items, next_cursor=str(items[-1].id) if more else None))


@flask_app.get("/api/users/<int:user_id>")
async def get_user(user_id: int) -> Response:
    async with store.sessions() as session:
        user = await store.get_user(session, user_id)
    if user is None:
        abort(404)
    return answer(UserRead.model_validate(user))


@flask_app.patch("/api/users/<int:user_id>")
async def update_user(user_id: int) -> Response:
    change = UserUpdate.model_validate_json(request.get_data())
    async with store.sessions() as session:
        user = await store.update_user(session, user_id, change.model_dump(exclude_unset=True))
    if user is None:
        abort(404)
    return answer(UserRead.model_validate(user))


@flask_app.post("/api/users")
async def create_user() -> Response:
    new = UserCreate.model_validate_json(request.get_data())
    async with store.sessions() as session:
        user = await store.create_user(session, new.model_dump())
    return answer(UserRead.model_validate(user), 201)
