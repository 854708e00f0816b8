"""Lists: pages, cursors and filters, and what is wrong in a query string."""

from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from carboy.schemas.base import Record
from carboy.services import Cursors


async def fill(client: httpx.AsyncClient, count: int) -> list[dict[str, Any]]:
    return [
        (await client.post("/api/users", json={"username": f"u{n}", "email": f"u{n}@example.org"})).json()
        for n in range(count)
    ]


async def test_an_empty_list_is_a_page(client: httpx.AsyncClient) -> None:
    assert (await client.get("/api/users")).json() == {
        "items": [],
        "next_cursor": None,
        "previous_cursor": None,
        "total": None,
    }


async def test_following_cursors_shows_each_of_120_users_once(client: httpx.AsyncClient) -> None:
    users = await fill(client, 120)
    seen, sizes = [], []
    cursor: str | None = None
    for _ in range(3):
        query = {"limit": "50"} | ({"cursor": cursor} if cursor else {})
        page = (await client.get("/api/users", params=query)).json()
        seen += page["items"]
        sizes.append(len(page["items"]))
        cursor = page["next_cursor"]
    assert (sizes, cursor) == ([50, 50, 20], None)
    assert seen == users


async def test_a_last_page_that_is_full_has_no_cursor(client: httpx.AsyncClient) -> None:
    await fill(client, 4)
    first = (await client.get("/api/users?limit=2")).json()
    last = (await client.get("/api/users", params={"limit": 2, "cursor": first["next_cursor"]})).json()
    assert (len(last["items"]), last["next_cursor"]) == (2, None)


async def test_users_deleted_or_created_meanwhile_move_no_other_to_another_page(client: httpx.AsyncClient) -> None:
    users = await fill(client, 5)
    first = (await client.get("/api/users?limit=2")).json()
    await client.delete("/api/users/1")
    await client.delete("/api/users/2")
    rest = (await client.get("/api/users", params={"cursor": first["next_cursor"]})).json()
    assert rest["items"] == users[2:]


async def test_the_default_page_holds_50(client: httpx.AsyncClient) -> None:
    await fill(client, 51)
    page = (await client.get("/api/users")).json()
    assert len(page["items"]) == 50
    assert page["next_cursor"] is not None


@pytest.mark.parametrize("limit", ["1", "200"])
async def test_a_limit_within_its_range_is_taken(client: httpx.AsyncClient, limit: str) -> None:
    assert (await client.get("/api/users", params={"limit": limit})).status_code == 200


@pytest.mark.parametrize(
    "limit", ["0", "-1", "201", "9" * 5000, "-" + "9" * 5000, "", "x", "1.5", "1e2", "true", "\uff11", "\x00"]
)
async def test_a_limit_that_is_not_right_is_named(client: httpx.AsyncClient, limit: str) -> None:
    answer = await client.get("/api/users", params={"limit": limit})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_input")
    [error] = answer.json()["errors"]
    assert set(error) == {"parameter", "detail"}
    assert error["parameter"] == "limit"


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("limit=1&limit=2", ["limit"]),
        ("limit=1&limit=1&cursor=a&cursor=b", ["limit", "cursor"]),
        ("page=2", ["page"]),
        ("a%20b=1&%C3%A9=2", ["a b", "é"]),
        ("limit=x&page=2", ["limit", "page"]),
        ("LIMIT=1", ["LIMIT"]),
        ("username%5B%5D=x", ["username[]"]),
        ("username=a%00b", ["username"]),
        (f"email={'x' * 121}", ["email"]),
        ("=", [""]),
    ],
)
async def test_each_parameter_that_is_not_right_is_named(
    client: httpx.AsyncClient, query: str, named: list[str]
) -> None:
    answer = await client.get(f"/api/users?{query}")
    assert answer.status_code == 422
    assert [error["parameter"] for error in answer.json()["errors"]] == named


async def test_a_cursor_that_was_tampered_with_is_a_bad_request(client: httpx.AsyncClient) -> None:
    await fill(client, 2)
    cursor: str = (await client.get("/api/users?limit=1")).json()["next_cursor"]
    value, _, signature = cursor.partition(".")
    others = [
        "",
        "1",
        "abc.def",
        value,
        f"{value}.",
        f".{signature}",
        f"{value}.{signature[:-1]}",
        f"{value}x.{signature}",
        cursor[::-1],
        f" {cursor}",
        f"{cursor}\x00",
        "é.ü",
        "\ud800".encode("utf-8", "surrogatepass").decode("latin-1"),
        cursor.swapcase(),
    ]
    for other in others:
        answer = await client.get("/api/users", params={"cursor": other})
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_cursor"), other


def test_a_cursor_of_another_installation_is_not_ours() -> None:
    users = [Record(id=number) for number in (1, 2)]
    one, other = (Cursors(SecretStr(letter * 32)) for letter in "ab")
    cursor = one.page(users, 1).next_cursor
    assert one.decode(cursor) == 1
    with pytest.raises(Exception, match="The cursor is not one that this API has given out"):
        other.decode(cursor)


@pytest.mark.parametrize(("name", "value"), [("username", ""), ("username", "u1 u2"), ("email", "u1"), ("email", "")])
async def test_a_filter_that_no_user_can_match_is_an_error(client: httpx.AsyncClient, name: str, value: str) -> None:
    answer = await client.get("/api/users", params={name: value})
    assert (answer.status_code, answer.json()["errors"][0]["parameter"]) == (422, name)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"username": "U1"}, [2]),
        ({"username": "\uff55\uff11"}, [2]),
        ({"email": "U1@EXAMPLE.ORG"}, [2]),
        ({"username": "u1", "email": "u2@example.org"}, []),
        ({"username": "u"}, []),
        ({"username": "u1'OR/**/1=1--"}, []),
        ({"username": "%"}, []),
    ],
)
async def test_filters_are_exact_but_for_case(
    client: httpx.AsyncClient, query: dict[str, str], found: list[int]
) -> None:
    await fill(client, 3)
    page = (await client.get("/api/users", params=query)).json()
    assert [user["id"] for user in page["items"]] == found
