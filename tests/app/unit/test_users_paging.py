"""Lists: pages, cursors and filters, and what is wrong in a query string."""

import string
from functools import partial
from typing import Any

import httpx
import pytest
from itsdangerous import URLSafeSerializer
from pydantic import SecretStr
from support.users import registration

from app.users.daos import UserDao
from carboy.errors import InvalidCursorError
from carboy.schemas.base import PageQuery
from carboy.services import Cursors
from carboy.testing import MemoryDatabase


class MemberDao(UserDao):
    """Another list than that of users."""

    @property
    def name(self) -> str:
        return "members"


ALPHABET = string.ascii_letters + string.digits + "-_"


async def fill(client: httpx.AsyncClient, count: int) -> list[dict[str, Any]]:
    return [(await client.post("/api/users", json=registration(f"u{n}"))).json() for n in range(count)]


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
        # Other spellings of the same bytes.
        f"{cursor}=",
        f"{cursor}é",
        *(cursor[:-1] + last for last in ALPHABET if last != cursor[-1]),
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


async def test_a_cursor_holds_for_one_installation_list_and_format(database: MemoryDatabase) -> None:
    users = UserDao(database)
    for name in "ab":
        await database.write(partial(users.add, registration(name)))
    one, other = (Cursors(SecretStr(letter * 32)) for letter in "ab")
    first = await database.read(lambda: one.page(users, PageQuery(limit=1)))
    query = PageQuery(cursor=first.next_cursor)
    assert [user.id for user in (await database.read(lambda: one.page(users, query))).items] == [2]
    before = URLSafeSerializer("a" * 32, salt="cursor").dumps(1)
    for cursors, dao, cursor in [
        (other, users, first.next_cursor),
        (one, MemberDao(database), first.next_cursor),
        (one, users, before),
    ]:
        with pytest.raises(InvalidCursorError, match="does not belong to this list"):
            await database.read(partial(cursors.page, dao, PageQuery(cursor=cursor)))


async def test_a_cursor_goes_with_its_sort_and_any_filter(client: httpx.AsyncClient) -> None:
    users = await fill(client, 3)
    first = (await client.get("/api/users?limit=1&sort=-created,username")).json()
    cursor = first["next_cursor"]
    for sort in ("", "&sort=created,username", "&sort=-created", "&sort=username,-created"):
        answer = await client.get(f"/api/users?cursor={cursor}{sort}")
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_cursor")
        assert "sort=-created,username" in answer.json()["detail"]
    found = await client.get(f"/api/users?cursor={cursor}&sort=-created,username&username=u0")
    assert found.json()["items"] == users[:1]


async def test_the_longest_names_make_cursors_that_are_taken(client: httpx.AsyncClient) -> None:
    for letter in "ab":
        name = "\U0001f600" * 79 + letter
        user = {"username": name, "email": f"{letter}@{'d' * 58}.{'e' * 50}.org"}
        assert (await client.post("/api/users", json=user)).status_code == 201
    for sort in ("-username", "-email", "created,-username"):
        first = (await client.get("/api/users", params={"sort": sort, "limit": 1})).json()
        second = await client.get("/api/users", params={"sort": sort, "limit": 1, "cursor": first["next_cursor"]})
        assert second.status_code == 200
        assert {first["items"][0]["id"], second.json()["items"][0]["id"]} == {1, 2}


async def test_the_previous_page_is_the_one_before(client: httpx.AsyncClient) -> None:
    await fill(client, 5)
    pages = [(await client.get("/api/users?limit=2&sort=-email")).json()]
    while pages[-1]["next_cursor"]:
        query = {"limit": 2, "sort": "-email", "cursor": pages[-1]["next_cursor"]}
        pages.append((await client.get("/api/users", params=query)).json())
    assert [[user["username"] for user in page["items"]] for page in pages] == [["u4", "u3"], ["u2", "u1"], ["u0"]]
    for page, before in zip(pages[:0:-1], pages[-2::-1], strict=True):
        query = {"limit": 2, "sort": "-email", "cursor": page["previous_cursor"]}
        back = (await client.get("/api/users", params=query)).json()
        assert back["items"] == before["items"]
        assert bool(back["previous_cursor"]) == bool(before["previous_cursor"])
    assert pages[0]["previous_cursor"] is None


async def test_the_total_is_included_on_request(client: httpx.AsyncClient) -> None:
    await fill(client, 3)
    assert (await client.get("/api/users?limit=1")).json()["total"] is None
    assert (await client.get("/api/users?limit=1&total=true")).json()["total"] == 3
    assert (await client.get("/api/users?limit=1&total=true&q=U2@")).json()["total"] == 1


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=ADA", ["ada", "bob"]),
        ("q=stra\u00dfe", ["bob"]),
        ("q=STRASSE", ["bob"]),
        ("q=\uff42\uff4f\uff42", ["bob"]),
        ("q=lace a", ["ada"]),
        ("q=@example.org", ["ada", "bob", "eve"]),
        ("q=%25", []),
        ("q=ada&active=false", ["bob"]),
        ("active=true", ["ada", "eve"]),
        ("active=false&sort=-id&username=BOB", ["bob"]),
    ],
)
async def test_a_search_looks_into_names_and_addresses(client: httpx.AsyncClient, query: str, found: list[str]) -> None:
    for user in (
        registration("ada", full_name="Grace A."),
        registration("bob", full_name="Bob of Stra\u00dfe Ada", active=False),
        registration("eve"),
    ):
        assert (await client.post("/api/users", json=user)).status_code == 201
    await client.patch("/api/users/1", json={"full_name": "Lovelace A."})
    page = (await client.get(f"/api/users?{query}")).json()
    assert [user["username"] for user in page["items"]] == found


async def test_a_name_that_was_removed_is_not_found_any_more(client: httpx.AsyncClient) -> None:
    await client.post("/api/users", json=registration("ada", full_name="Lovelace"))
    await client.patch("/api/users/1", json={"full_name": None})
    assert (await client.get("/api/users?q=lovelace")).json()["items"] == []


@pytest.mark.parametrize(
    ("parameter", "values"),
    [
        ("sort", ["", "name", "id,", ",", "id,id", "-id,id", "+id", "created_at", "ID", "id,nickname", "id id", "-"]),
        ("fields", ["", "nickname", "id,", "id,id", "-id", "username_key", "email email"]),
        ("q", ["", "x" * 101, "a\x00b", "a\nb"]),
        ("total", ["", "2", "maybe"]),
        ("active", ["", "none"]),
    ],
)
async def test_a_wish_that_a_list_cannot_fulfil_is_named(
    client: httpx.AsyncClient, parameter: str, values: list[str]
) -> None:
    for value in values:
        answer = await client.get("/api/users", params={parameter: value})
        assert answer.status_code == 422, value
        [error] = answer.json()["errors"]
        assert error["parameter"] == parameter
    allowed = {"sort": "id, created, username, email", "fields": "id, username, email, full_name, active, created_at"}
    assert allowed.get(parameter, "") in error["detail"]


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
