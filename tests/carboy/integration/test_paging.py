"""Lists page by page: nothing twice and nothing left out, whatever happens meanwhile; and cursors that are not ours."""

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import text
from support.users import registration

from app.users.schemas import UserQuery
from carboy.db import Database
from carboy.services import Cursors
from containers import Container


async def create(client: httpx.AsyncClient, *names: str) -> None:
    for name in names:
        assert (await client.post("/api/users", json=registration(name))).status_code == 201


async def page(client: httpx.AsyncClient, cursor: str | None, limit: int = 3) -> tuple[list[str], str | None]:
    params = {"limit": limit} | ({"cursor": cursor} if cursor else {})
    content = (await client.get("/api/users", params=params)).json()
    return [item["username"] for item in content["items"]], content["next_cursor"]


@pytest.mark.parametrize("limit", [1, 2, 3, 6, 7, 200])
async def test_all_pages_together_are_the_list(client: httpx.AsyncClient, limit: int) -> None:
    names = [f"user{number}" for number in range(6)]
    await create(client, *names)
    seen: list[str] = []
    sizes = []
    items, cursor = await page(client, None, limit)
    while True:
        seen += items
        sizes.append(len(items))
        if cursor is None:
            break
        items, cursor = await page(client, cursor, limit)
    assert seen == names
    assert set(sizes[:-1]) <= {limit}
    assert 0 < sizes[-1] <= limit


async def test_rows_that_come_and_go_move_no_others(client: httpx.AsyncClient) -> None:
    await create(client, *"abcdefgh")
    first, cursor = await page(client, None)
    # One before the place of the cursor, the one at it, and the next one after it are deleted.
    for user_id in (1, 3, 4):
        assert (await client.delete(f"/api/users/{user_id}")).status_code == 204
    await create(client, "a", "z")
    second, cursor = await page(client, cursor)
    third, cursor = await page(client, cursor)
    assert (first, second, third, cursor) == (list("abc"), list("efg"), ["h", "a", "z"], None)


async def test_a_list_of_nothing_has_no_next_page(client: httpx.AsyncClient) -> None:
    assert await page(client, None) == ([], None)
    await create(client, "ada")
    found = (await client.get("/api/users", params={"username": "bob"})).json()
    assert found == {"items": [], "next_cursor": None, "previous_cursor": None, "total": None}


async def test_a_cursor_that_was_changed_is_refused(client: httpx.AsyncClient) -> None:
    await create(client, "ada", "bob")
    _, cursor = await page(client, None, limit=1)
    assert cursor is not None
    for place in range(len(cursor)):
        changed = "B" if cursor[place] == "A" else "A"
        tampered = cursor[:place] + changed + cursor[place + 1 :]
        answer = await client.get("/api/users", params={"cursor": tampered})
        if place == len(cursor) - 1 and answer.status_code == 200:
            continue  # The last letter of base64 has bits that count for nothing.
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_cursor")


@pytest.mark.parametrize("cursor", ["", "1", ".", "..", "e30", "\U0001f600", "null", "MQ.", "x" * 500, "a.b.c"])
async def test_a_cursor_that_is_made_up_is_refused(client: httpx.AsyncClient, cursor: str) -> None:
    answer = await client.get("/api/users", params={"cursor": cursor})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_cursor")


async def test_a_cursor_of_another_secret_is_refused(client: httpx.AsyncClient, container: Container) -> None:
    await create(client, "ada", "bob")
    _, ours = await page(client, None, limit=1)
    other = Cursors(SecretStr("another secret, of more than 32 characters"))
    theirs = await container.database().read(lambda: other.page(container.user_dao(), UserQuery(limit=1)))
    assert (await client.get("/api/users", params={"cursor": ours or ""})).status_code == 200
    answer = await client.get("/api/users", params={"cursor": theirs.next_cursor or ""})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_cursor")


@pytest.mark.parametrize("sort", ["created", "-created"])
async def test_users_that_sql_has_written_are_listed_once_each(
    client: httpx.AsyncClient, database: Database, sort: str
) -> None:
    insert = text(
        "INSERT INTO users (username, username_key, email, email_key, active, created_at, updated_at, version)"
        " SELECT name, name, name, name, true, CURRENT_TIMESTAMP, CURRENT_TIMESTAMP, 1"
        " FROM (SELECT CAST(:name AS text) AS name) AS given"
    )

    async def write() -> None:
        for name in "abcdefg":
            await database.execute(insert, {"name": name}, writes=True)

    await database.write(write)
    seen: list[str] = []
    address = f"/api/users?sort={sort}&limit=2"
    while len(seen) < 20:
        page = (await client.get(address)).json()
        seen += [user["username"] for user in page["items"]]
        if page["next_cursor"] is None:
            break
        address = f"/api/users?sort={sort}&limit=2&cursor={page['next_cursor']}"
    assert "".join(seen) == {"created": "abcdefg", "-created": "gfedcba"}[sort]
