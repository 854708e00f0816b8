"""What is not valid costs no more than what is: it is counted before it is read, and told in few words."""

import tracemalloc
from typing import Annotated, Any, Literal

import httpx
import pytest
from flask import Flask
from flask.testing import FlaskClient
from pydantic import Field
from support.hostile import HOSTILE, many
from support.users import registration

from carboy.api import ApiBlueprint
from carboy.health.schemas import HealthReport
from carboy.schemas import Prose
from carboy.schemas.base import Input, Query
from carboy.web import problems
from carboy.web.application import Application

JSON = {"Content-Type": "application/json"}
OK = HealthReport(status="ok", checks={})


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
async def test_a_megabyte_of_anything_makes_few_objects_and_a_short_answer(
    client: httpx.AsyncClient, body: bytes
) -> None:
    await client.post("/api/users", content=b"{}", headers=JSON)
    tracemalloc.start()
    answer = await client.post("/api/users", content=body, headers=JSON)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_input")
    assert 1 <= len(answer.json()["errors"]) <= 100
    assert len(answer.content) < 20_000
    # The client, the bridge and the counting each have a copy or two of the body. An object of each value would be 20.
    assert peak < 10 * len(body)


class Lists(Input):
    free: list[Any] = []
    limited: Annotated[list[int], Field(max_length=30_000)] = []
    text: Prose = ""
    tag: Annotated["Cat | Dog", Field(discriminator="kind")] | None = None
    inner: "Lists | None" = None


class Cat(Input):
    kind: Literal["cat"]


class Dog(Input):
    kind: Literal["dog"]


class Bounded(Input):
    rows: Annotated[list[Annotated[list[int], Field(max_length=2)]], Field(max_length=20_000)]


class Few(Query):
    one: int = 0


@pytest.fixture
def lists() -> FlaskClient:
    blueprint = ApiBlueprint("lists", __name__, description="Lists.")

    @blueprint.post("/lists")
    async def take_lists(body: Lists) -> HealthReport:
        return OK

    @blueprint.post("/bounded")
    async def take_bounded(body: Bounded) -> HealthReport:
        return OK

    @blueprint.get("/few")
    async def get_few(query: Few) -> HealthReport:
        return OK

    app: Flask = Application("lists", static_folder=None)
    problems.init_app(app)
    app.register_blueprint(blueprint)
    return app.test_client()


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/lists", b'{"free":' + many(b"1", 2 * 20_000) + b"}", 200),
        ("/lists", b'{"free":' + many(b"1", 2 * 22_000) + b"}", 422),
        ("/lists", b'{"text":"' + b"[1,2],{}" * 100_000 + b'"}', 200),
        ("/lists", b'{"text":"' + rb"\",\\" * 100_000 + b'"}', 200),
        ("/bounded", b'{"rows":' + many(b"[1,2]", 6 * 20_000) + b"}", 200),
        ("/bounded", b'{"rows":' + many(b"[]", 3 * 20_000) + b"}", 200),
        ("/bounded", b'{"rows":' + many(b"[1,2]", 6 * 22_000) + b"}", 422),
    ],
)
def test_a_valid_body_may_be_as_large_as_its_model_says(
    lists: FlaskClient, path: str, body: bytes, status: int
) -> None:
    answer = lists.post(path, data=body, headers=JSON)
    assert answer.status_code == status, answer.text[:300]


def test_of_many_wrong_items_the_first_hundred_are_told(lists: FlaskClient) -> None:
    answer = lists.post("/lists", data=b'{"limited":' + many(b'""', 3 * 10_000) + b"}", headers=JSON)
    errors = answer.get_json()["errors"]
    assert [error["pointer"] for error in errors] == [f"#/limited/{number}" for number in range(100)]
    assert {error["detail"] for error in errors} == {"Input should be a valid integer."}


def test_a_body_that_holds_too_much_and_is_no_json_is_a_bad_request(lists: FlaskClient) -> None:
    for body in (b"[" * 100_000, b'{"free":[' + b"1,}" * 100_000):
        answer = lists.post("/lists", data=body, headers=JSON)
        assert (answer.status_code, answer.get_json()["code"]) == (400, "bad_request")


@pytest.mark.parametrize("count", [1000, 60_000])
def test_of_many_parameters_the_first_hundred_are_told_or_none(lists: FlaskClient, count: int) -> None:
    answer = lists.get("/few?" + "&".join(f"p{number}=1" for number in range(count)))
    assert answer.status_code == 422
    assert len(answer.get_json()["errors"]) == (100 if count == 1000 else 1)


LONG = "\U0001f600" * 5000


@pytest.mark.parametrize("names", [["one", "one"], [LONG] * 2, [f"{number}{LONG[:200]}" for number in range(200)]])
def test_no_name_of_a_parameter_is_repeated_whole(lists: FlaskClient, names: list[str]) -> None:
    answer = lists.get("/few", query_string="&".join(f"{name}=1" for name in names))
    assert answer.status_code == 422
    assert all(len(error["parameter"]) <= 103 for error in answer.get_json()["errors"])
    assert len(answer.data) < 200_000


@pytest.mark.parametrize(
    "body",
    [
        {"inner": {"inner": {"inner": {LONG[:50]: 1}}}},
        {f"{number}{LONG}": 1 for number in range(20)},
        {"tag": {"kind": LONG}},
        {"tag": {"kind": "a" * 500_000}},
    ],
    ids=["in depth", "unknown", "tag of many", "tag"],
)
def test_the_length_of_a_problem_is_bounded_whatever_was_sent(lists: FlaskClient, body: dict[str, Any]) -> None:
    answer = lists.post("/lists", json=body)
    assert answer.status_code == 422
    for error in answer.get_json()["errors"]:
        assert len(error["pointer"]) <= 504
        assert len(error["detail"]) <= 504
    assert len(answer.data) < 100_000


async def test_a_header_that_is_too_long_to_be_read_is_not_read(client: httpx.AsyncClient) -> None:
    await client.post("/api/users", json=registration("ada"))
    accept = ",".join(f"a/{number}" for number in range(5000))
    assert (await client.get("/api/users", headers={"Accept": accept[:900]})).status_code == 406
    assert (await client.get("/api/users", headers={"Accept": accept})).status_code == 200
    tags = ",".join(f'"{number}"' for number in range(2, 5000)) + ',"1"'
    assert (await client.get("/api/users/1", headers={"If-None-Match": tags})).status_code == 200
    assert (await client.delete("/api/users/1", headers={"If-Match": tags})).status_code == 412
    content_type = "application/json" + ";a=b" * 5000
    assert (await client.post("/api/users", content=b"{}", headers={"Content-Type": content_type})).status_code == 415


async def test_links_do_not_repeat_a_query_of_any_length(client: httpx.AsyncClient) -> None:
    for name in ("ada", "grace"):
        await client.post("/api/users", json=registration(name))
    for zeros, linked in ((100, True), (60_000, False)):
        answer = await client.get(f"/api/users?limit={'0' * zeros}1")
        assert (answer.status_code, "Link" in answer.headers) == (200, linked)
        assert answer.json()["next_cursor"] is not None
