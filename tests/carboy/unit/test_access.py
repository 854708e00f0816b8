"""A route says who may use it; nobody else learns more from it than that."""

from typing import Any

import httpx
import pytest
from dependency_injector.containers import DeclarativeContainer
from flask import Blueprint, Flask
from support.guarded import TokensOfTests, bearer

from carboy.api import ApiBlueprint, DeclarationError, public, requires
from carboy.api.openapi.document import describe
from carboy.di.wiring import WiringError, wire
from carboy.security.actor import Actor
from carboy.web.access import undeclared_routes


async def test_a_public_route_asks_nobody(caller: httpx.AsyncClient, tokens: TokensOfTests) -> None:
    assert (await caller.get("/notes/open", headers=bearer("rubbish"))).status_code == 200
    assert tokens.asked == []


async def test_a_public_route_may_ask_who_it_is(caller: httpx.AsyncClient) -> None:
    assert (await caller.get("/notes/maybe")).json() == {"author": None, "text": "anonymous"}
    assert (await caller.get("/notes/maybe", headers=bearer("one"))).json() == {"author": 1, "text": "person"}
    assert (await caller.get("/notes/maybe", headers=bearer("rubbish"))).status_code == 401


@pytest.mark.parametrize("header", [None, "Basic b25lOm9uZQ==", "one", "Bearerone", ""])
async def test_without_a_token_the_answer_is_401_with_a_challenge(
    caller: httpx.AsyncClient, header: str | None
) -> None:
    answer = await caller.get("/notes/any", headers={} if header is None else {"Authorization": header})
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


async def test_a_token_that_is_not_valid_is_told_apart_from_none(caller: httpx.AsyncClient) -> None:
    for token in ("rubbish", "", "one two"):
        answer = await caller.get("/notes/any", headers=bearer(token))
        assert (answer.status_code, answer.json()["code"]) == (401, "invalid_token")
        assert answer.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'


async def test_the_scheme_is_spelt_in_any_case(caller: httpx.AsyncClient) -> None:
    answer = await caller.get("/notes/any", headers={"Authorization": "bEARER  one"})
    assert answer.json() == {"author": 1, "text": "any"}


async def test_a_token_counts_in_the_header_alone_and_a_cookie_never(caller: httpx.AsyncClient) -> None:
    answer = await caller.get("/notes/any?access_token=one", headers={"Cookie": "session=one; __Host-session=one"})
    assert answer.status_code == 401


async def test_an_owner_and_who_is_permitted_may_write_and_nobody_else(caller: httpx.AsyncClient) -> None:
    answers = {
        (token, user): (await caller.post(f"/notes/{user}", json={"text": "x"}, headers=bearer(token))).status_code
        for token in ("one", "two", "admin", "reader")
        for user in (1, 2)
    }
    assert answers == {
        ("one", 1): 200,
        ("one", 2): 403,
        ("two", 1): 403,
        ("two", 2): 200,
        ("admin", 1): 200,
        ("admin", 2): 200,
        ("reader", 1): 403,
        ("reader", 2): 403,
    }


async def test_a_scope_that_is_missing_is_named(caller: httpx.AsyncClient) -> None:
    answer = await caller.delete("/notes/1", headers=bearer("reader"))
    assert (answer.status_code, answer.json()["code"], answer.json()["scope"]) == (
        403,
        "insufficient_scope",
        "notes:write",
    )
    assert answer.headers["WWW-Authenticate"] == 'Bearer error="insufficient_scope", scope="notes:write"'


async def test_who_may_not_is_refused_before_the_request_is_read(caller: httpx.AsyncClient) -> None:
    wrong: dict[str, Any] = {"content": "{", "headers": {"Content-Type": "text/plain", "Accept": "text/html"}}
    assert (await caller.post("/notes/1", **wrong)).status_code == 401
    wrong["headers"] |= bearer("two")
    assert (await caller.post("/notes/1", **wrong)).status_code == 403
    wrong["headers"] |= bearer("one")
    assert (await caller.post("/notes/1", **wrong)).status_code == 406


async def test_two_accounts_may_use_one_idempotency_key(caller: httpx.AsyncClient) -> None:
    answers = [
        await caller.post("/notes", json={"text": "x"}, headers=bearer(token) | {"Idempotency-Key": "same"})
        for token in ("one", "two", "one")
    ]
    assert [answer.json()["author"] for answer in answers] == [1, 2, 1]
    assert ["Idempotency-Replayed" in answer.headers for answer in answers] == [False, False, True]


async def test_the_authenticator_is_told_where_the_request_comes_from(
    caller: httpx.AsyncClient, tokens: TokensOfTests
) -> None:
    await caller.get("/notes/any", headers=bearer("one") | {"User-Agent": "x" * 300})
    [credentials] = tokens.asked
    assert (credentials.address, credentials.agent, credentials.cookie) == ("127.0.0.1", "x" * 255, None)


def test_the_document_says_of_each_operation_what_it_asks_for(guarded: Flask) -> None:
    document = describe(guarded)
    security = {
        f"{method} {path}": operation["security"]
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    }
    assert security == {
        "get /notes/open": [],
        "get /notes/maybe": [{}, {"bearer": []}],
        "get /notes/any": [{"bearer": []}],
        "get /notes/often": [{"bearer": []}],
        "post /notes/guess": [],
        "post /notes": [{"bearer": []}],
        "post /notes/{user_id}": [{"bearer": ["notes:write"]}],
        "delete /notes/{user_id}": [{"bearer": ["notes:write"]}],
    }
    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    responses = document["paths"]["/notes/{user_id}"]["delete"]["responses"]
    assert {"401", "403"} <= responses.keys()
    assert "401" not in document["paths"]["/notes/open"]["get"]["responses"]


def test_a_route_that_says_nothing_is_named(guarded: Flask) -> None:
    assert undeclared_routes(guarded) == []
    silent = Blueprint("silent", __name__)
    silent.add_url_rule("/silent", "get", lambda: "silent")
    app = Flask("silent", static_folder=None)
    app.register_blueprint(silent)
    assert undeclared_routes(app) == ["silent.get (/silent): say @requires(...) or @public"]


def test_a_route_that_says_something_but_is_not_asked_is_named() -> None:
    @requires()
    def get_unasked() -> str:
        return "for everybody"

    app = Flask("unasked")
    app.add_url_rule("/unasked", "unasked", get_unasked)
    app.add_url_rule("/open", "open", public(lambda: "open"))
    assert undeclared_routes(app) == [
        "unasked (/unasked): @requires is checked on an ApiBlueprint or a PageBlueprint alone"
    ]


def test_of_the_kits_own_routes_each_says_something(app: Flask) -> None:
    assert [line for line in undeclared_routes(app) if not line.startswith("users.")] == []


def test_a_view_that_takes_an_actor_must_say_who_may_use_it() -> None:
    blueprint = ApiBlueprint("silent", __name__, description="Silent.")
    with pytest.raises(DeclarationError, match="takes an actor"):

        @blueprint.get("/silent")
        async def get_silent(actor: Actor) -> None: ...


def test_an_owner_is_an_argument_of_the_view() -> None:
    blueprint = ApiBlueprint("wrong", __name__, description="Wrong.")
    with pytest.raises(DeclarationError, match="own='user' is no argument"):

        @blueprint.get("/wrong/<int:user_id>")
        @requires("users:read", own="user")
        async def get_wrong(user_id: int) -> None: ...


def test_whose_it_is_makes_no_sense_without_a_permission() -> None:
    with pytest.raises(ValueError, match="needs a permission"):
        requires(own="user_id")


def test_without_an_authenticator_an_application_does_not_start() -> None:
    blueprint = ApiBlueprint("any", __name__, description="Any.")

    @blueprint.get("/any")
    @requires()
    async def get_any() -> None: ...

    @blueprint.get("/open")
    @public
    async def get_open() -> None: ...

    app = Flask("any", static_folder=None)
    app.register_blueprint(blueprint)
    with pytest.raises(WiringError, match=r"view any\.get_any .*: the container has no provider 'authenticator'"):
        wire(DeclarativeContainer(), app)
