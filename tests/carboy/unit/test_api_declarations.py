"""A view's signature says what its route takes and gives; one that does not is an error at import."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask, Response
from pydantic import BaseModel

from app.users.errors import UserNotFoundError
from carboy.api import ApiBlueprint, Created, Expected
from carboy.api.blueprint import declared
from carboy.api.operation import DeclarationError
from carboy.schemas.base import Input, Query, Versions


class Thing(BaseModel):
    name: str


class ThingCreate(Input):
    name: str


class ThingQuery(Query):
    name: str = "any"


class ListQuery(Query):
    tags: list[str] | None = None


async def says_nothing_of_what_it_returns(): ...  # type: ignore[no-untyped-def]  # noqa: ANN201 - which is what is tested.


async def returns_a_response() -> Response:
    return Response()


async def takes_two_bodies(one: ThingCreate, other: ThingCreate) -> None: ...


async def takes_two_queries(one: ThingQuery, other: ThingQuery) -> None: ...


async def takes_a_list_in_its_query(query: ListQuery) -> None: ...


async def takes_if_match_twice(one: Expected, other: Expected) -> None: ...


def is_not_asynchronous() -> None: ...


@pytest.fixture
def things() -> ApiBlueprint:
    return ApiBlueprint("things", __name__, description="Things.", url_prefix="/things")


@pytest.mark.parametrize(
    ("view", "problem"),
    [
        (
            says_nothing_of_what_it_returns,
            "it must return a pydantic model, Created[...], Issued[...], EventStream[...] or None, not ",
        ),
        (
            returns_a_response,
            "it must return a pydantic model, Created[...], Issued[...], EventStream[...] or None, not ",
        ),
        (takes_two_bodies, "only one argument can be the body."),
        (takes_two_queries, "only one argument can be the query."),
        (takes_a_list_in_its_query, "tags is a list, but a parameter stands once: AnyOf takes values with commas."),
        (takes_if_match_twice, "only one argument can be the If-Match."),
        (is_not_asynchronous, "a view of an ApiBlueprint must be an async function."),
    ],
)
def test_a_signature_that_does_not_say_what_it_must_is_an_error(
    things: ApiBlueprint, view: Callable[..., Any], problem: str
) -> None:
    with pytest.raises(DeclarationError) as raised:
        things.get("")(view)
    assert str(raised.value).startswith(f"{view.__name__}: {problem}")


def test_a_signature_is_the_declaration(things: ApiBlueprint) -> None:
    @things.put("/<int:thing_id>", errors=[UserNotFoundError])
    async def put_thing(thing_id: int, new: ThingCreate, query: ThingQuery, expected: Expected) -> Created[Thing]:
        return Created(Thing(name=new.name), "/things/1")

    app = Flask(__name__)
    app.register_blueprint(things)
    operation = declared(app.view_functions["things.put_thing"])
    assert operation is not None
    assert (operation.query, operation.body) == (("query", ThingQuery), ("new", ThingCreate))
    assert operation.expected == "expected"
    assert (operation.result, operation.creates, operation.status) == (Thing, True, 201)
    assert operation.arguments == {"query", "new", "expected"}
    assert operation.errors == (UserNotFoundError,)


def test_a_route_leaves_the_view_as_it_is(things: ApiBlueprint) -> None:
    async def delete_thing() -> None: ...

    assert things.delete("")(delete_thing) is delete_thing


def test_versions_alone_are_no_declaration(things: ApiBlueprint) -> None:
    @things.get("")
    async def get_thing(expected: Versions = None) -> Thing:
        return Thing(name="x")

    app = Flask(__name__)
    app.register_blueprint(things)
    operation = declared(app.view_functions["things.get_thing"])
    assert operation is not None
    assert operation.expected is None


def test_every_route_of_the_api_is_declared(app: Flask) -> None:
    undeclared = {
        rule.rule
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/api/")
        and declared(app.view_functions[rule.endpoint]) is None
        and not rule.endpoint.startswith("docs.")
    }
    assert undeclared == set()
