from typing import Annotated

from dependency_injector.wiring import Provide, inject
from flask import Blueprint, Response, url_for

from carboy.routes.http import answer, body, expected_version, no_content, query
from carboy.schemas.user import UserCreate, UserQuery, UserUpdate
from carboy.services import UserService

users = Blueprint("users", __name__, url_prefix="/api/users")

Users = Annotated[UserService, Provide["user_service"]]


@users.get("")
@inject
async def list_users(service: Users) -> Response:
    return answer(await service.list_users(query(UserQuery)))


@users.post("")
@inject
async def create_user(service: Users) -> Response:
    user = await service.create_user(body(UserCreate))
    return answer(user, 201, location=url_for(".get_user", user_id=user.id))


@users.get("/<int:user_id>")
@inject
async def get_user(user_id: int, service: Users) -> Response:
    return answer(await service.get_user(user_id))


@users.post("/<int:user_id>", endpoint="post_user")
@users.patch("/<int:user_id>")
@inject
async def update_user(user_id: int, service: Users) -> Response:
    return answer(await service.update_user(user_id, body(UserUpdate), expected_version()))


@users.delete("/<int:user_id>")
@inject
async def delete_user(user_id: int, service: Users) -> Response:
    await service.delete_user(user_id)
    return no_content()
