"""Lists page by page, on databases, real and in memory: in order, there and back, whatever comes and goes meanwhile."""

import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import chain
from typing import Any

import pytest
import pytest_asyncio
from pydantic import SecretStr
from support.databases import Write, database_settings, migrated, new_postgresql_database
from support.users import registration

from app.users.daos import UserDao
from app.users.schemas import UserQuery, UserRead
from carboy.daos.keyset import Place
from carboy.db import Database, create_engines, create_session_factory
from carboy.schemas.base import Page
from carboy.services import Cursors

BEGINNING = datetime(2026, 11, 25, 23, 59, 59, 999999, tzinfo=UTC)
NAMES = [
    "b",
    "a",
    "ab",
    "a b",
    "a-b",
    "é",
    "e\u0301",
    "zz",
    "Z",
    "_",
    "%",
    "\ue000",
    "\uffff",
    "\U0001f469\u200d\U0001f4bb",
    "ß",
]
"""Names of which a language would sort some otherwise than by their code points, and UTF-16 some others."""
SORTS = [
    "id",
    "-id",
    "created",
    "-created",
    "username",
    "-username",
    "email",
    "-email",
    "created,-id",
    "-created,id",
    "-created,username",
    "created,-username",
    "-created,-email",
    "username,created",
]
KEYS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "id": lambda row: row["id"],
    "created": lambda row: row["created_at"],
    "username": lambda row: row["username_key"],
    "email": lambda row: row["email_key"],
}
Get = Callable[..., Awaitable[Page[UserRead]]]


@pytest.fixture
def users(contract_users: UserDao) -> UserDao:
    return contract_users


@pytest.fixture
def get(contract_database: Database, users: UserDao) -> Get:
    """Ask for a page, as a service does."""
    return partial(get_page, contract_database, users)


async def get_page(database: Database, users: UserDao, search: str | None = None, **query: Any) -> Page[UserRead]:
    """Ask for a page; what the query of users does not know is what a column must equal."""
    equal = {name: query.pop(name) for name in [*query] if name not in UserQuery.model_fields}
    cursors = Cursors(SecretStr("x" * 32))
    return await database.read(lambda: cursors.page(users, UserQuery(q=search, **query), equal))


async def fill(users: UserDao, write: Write) -> list[dict[str, Any]]:
    """Add a row for each name, three of them at each moment, and return the rows."""
    rows = []
    for number, name in enumerate(NAMES):
        moment = BEGINNING + timedelta(microseconds=number * 7 % len(NAMES) // 3)
        keys = {"username_key": name, "email_key": f"{number * 4 % len(NAMES)}@a.org"}
        row = registration(name, created_at=moment, active=number % 3 != 0, **keys)
        row |= {"full_name": f"{name} {number}", "full_name_key": f"{name} {number}" if number % 2 else None}
        rows.append(row | {"id": (await write(partial(users.add, row))).id})
    return rows


def in_order(rows: list[dict[str, Any]], sort: str) -> list[int]:
    last = "-id" if sort.rpartition(",")[2].startswith("-") else "id"
    for name in (last, *reversed(sort.split(","))):
        rows = sorted(rows, key=KEYS[name.removeprefix("-")], reverse=name.startswith("-"))
    return [row["id"] for row in rows]


async def there(get: Get, **query: Any) -> list[list[int]]:
    """Return the ids on each page, from the first to the last."""
    page = await get(**query)
    assert page.previous_cursor is None
    pages = [ids(page)]
    while page.next_cursor is not None:
        page = await get(cursor=page.next_cursor, **query)
        assert page.previous_cursor is not None
        pages.append(ids(page))
    return pages


async def and_back(get: Get, **query: Any) -> list[list[int]]:
    """Return the ids on each page, from the first to the last, read from the last to the first."""
    page = await get(**query)
    while page.next_cursor is not None:
        page = await get(cursor=page.next_cursor, **query)
    pages = [ids(page)]
    while page.previous_cursor is not None:
        page = await get(cursor=page.previous_cursor, **query)
        assert page.next_cursor is not None
        pages.append(ids(page))
    return pages[::-1]


def ids(page: Page[UserRead]) -> list[int]:
    return [user.id for user in page.items]


@pytest.mark.parametrize("sort", SORTS)
async def test_pages_show_all_rows_in_order_there_and_back(users: UserDao, write: Write, get: Get, sort: str) -> None:
    expected = in_order(await fill(users, write), sort)
    for limit in (1, 2, 3, len(NAMES) - 1, len(NAMES), 200):
        pages = [expected[begin : begin + limit] for begin in range(0, len(expected), limit)]
        assert await there(get, sort=sort, limit=limit) == pages
        assert await and_back(get, sort=sort, limit=limit) == pages


@pytest.mark.parametrize("sort", ["id", "-created", "-created,username", "email"])
async def test_filtered_pages_show_all_rows_that_match(users: UserDao, write: Write, get: Get, sort: str) -> None:
    rows = await fill(users, write)
    wanted: list[tuple[dict[str, Any], Callable[[dict[str, Any]], bool]]] = [
        ({"active": False}, lambda row: not row["active"]),
        ({"full_name_key": None}, lambda row: row["full_name_key"] is None),
        ({"username_key": "é"}, lambda row: row["username_key"] == "é"),
        ({"search": "b"}, lambda row: "b" in row["username_key"]),
        ({"search": "b", "active": True}, lambda row: "b" in row["username_key"] and row["active"]),
        ({"search": "a b 3"}, lambda row: row["full_name_key"] == "a b 3"),
        ({"search": "@a.org"}, lambda row: True),
        ({"search": "none has it"}, lambda row: False),
    ]
    for query, matches in wanted:
        expected = in_order([row for row in rows if matches(row)], sort)
        pages = [expected[begin : begin + 2] for begin in range(0, len(expected), 2)] or [[]]
        assert await there(get, sort=sort, limit=2, **query) == pages
        assert await and_back(get, sort=sort, limit=2, **query) == pages
        assert (await get(limit=1, total=True, **query)).total == len(expected)


@pytest.mark.parametrize("text", ["%", "_", "/", "\\", "'", "*", "?", "[", "%%", "a_", "/%"])
async def test_a_search_takes_each_character_as_it_is(users: UserDao, write: Write, get: Get, text: str) -> None:
    for name in ("plain", f"x{text}y"):
        await write(partial(users.add, registration(name)))
    assert ids(await get(search=text)) == [2]


async def test_the_total_is_counted_only_when_it_is_asked_for(users: UserDao, write: Write, get: Get) -> None:
    await fill(users, write)
    first = await get(limit=2)
    assert first.total is None
    assert (await get(limit=2, total=True, cursor=first.next_cursor)).total == len(NAMES)


@pytest.mark.parametrize("sort", ["id", "-created", "-created,username", "-username"])
@pytest.mark.parametrize("way", ["there", "back"])
async def test_rows_that_come_and_go_make_no_other_appear_twice_or_vanish(
    users: UserDao, write: Write, get: Get, sort: str, way: str
) -> None:
    chance = random.Random(7)  # noqa: S311 - any sequence will do, if it is always the same.
    rows = await fill(users, write)
    leaving = chance.sample([row["id"] for row in rows], 8)
    staying = [row["id"] for row in rows if row["id"] not in leaving]
    seen: list[int] = []
    back = way == "back"
    page = await get(sort=sort, limit=3)
    while back and page.next_cursor is not None:
        page = await get(sort=sort, limit=3, cursor=page.next_cursor)
    for number in range(99):
        seen = [*ids(page), *seen] if back else [*seen, *ids(page)]
        if leaving:
            await write(partial(users.delete, leaving.pop()))
        moment = BEGINNING + timedelta(microseconds=chance.randrange(6))
        if number < 5:
            await write(partial(users.add, registration(f"{chance.random()}{number}", created_at=moment)))
        cursor = page.previous_cursor if back else page.next_cursor
        if cursor is None:
            break
        page = await get(sort=sort, limit=3, cursor=cursor)
    assert [user_id for user_id in seen if user_id in staying] == in_order(
        [row for row in rows if row["id"] in staying], sort
    )
    assert len(seen) == len(set(seen))


async def test_a_row_that_is_renamed_moves_no_other(users: UserDao, write: Write, get: Get) -> None:
    for name in "abcdef":
        await write(partial(users.add, registration(name)))
    first = await get(sort="username", limit=2)
    await write(lambda: users.update(2, {"username_key": "z"}))
    await write(lambda: users.update(5, {"username_key": "aa"}))
    second = await get(sort="username", limit=2, cursor=first.next_cursor)
    third = await get(sort="username", limit=2, cursor=second.next_cursor)
    assert [ids(page) for page in (first, second, third)] == [[1, 2], [3, 4], [6, 2]]
    again = await get(sort="username", limit=4, cursor=second.previous_cursor)
    assert (ids(again), again.previous_cursor) == ([1, 5], None)


@pytest.mark.parametrize("sort", ["id", "created", "created,-username", "-username"])
async def test_from_a_page_that_has_become_empty_a_way_leads_back(
    users: UserDao, write: Write, get: Get, sort: str
) -> None:
    expected = in_order(await fill(users, write), sort)
    first = await get(sort=sort, limit=2)
    second = await get(sort=sort, limit=2, cursor=first.next_cursor)
    for user_id in expected[2:]:
        await write(partial(users.delete, user_id))
    empty = await get(sort=sort, limit=2, cursor=first.next_cursor)
    assert (empty.items, empty.next_cursor) == ([], None)
    assert ids(await get(sort=sort, limit=2, cursor=empty.previous_cursor)) == expected[:2]

    for user_id in expected[:2]:
        await write(partial(users.delete, user_id))
    empty = await get(sort=sort, limit=2, cursor=second.previous_cursor)
    assert (empty.items, empty.previous_cursor) == ([], None)
    assert ids(await get(sort=sort, limit=2, cursor=empty.next_cursor)) == []


async def test_a_place_may_include_its_own_row(users: UserDao, write: Write) -> None:
    for name in "abcd":
        await write(partial(users.add, registration(name, created_at=BEGINNING)))
    for sort, key in (("id", (2,)), ("created", (BEGINNING, 2)), ("created,username", (BEGINNING, "b"))):
        for backward, inclusive, expected in [
            (False, False, [3, 4]),
            (False, True, [2, 3, 4]),
            (True, False, [1]),
            (True, True, [1, 2]),
        ]:
            place = Place(key, backward, inclusive)
            found = await write(partial(users.page, limit=9, sort=sort, place=place))
            assert [user.id for user in found.records] == expected


async def test_a_slice_of_nothing_has_no_edges(users: UserDao, write: Write) -> None:
    assert await write(lambda: users.page(limit=2)) == ([], (), (), False)
    await write(lambda: users.add(registration("ada")))
    assert await write(lambda: users.page(limit=0)) == ([], (), (), True)


@pytest.fixture
def english_url(postgresql_database: str) -> Iterator[str]:
    """A database that would sort text as English dictionaries do."""
    with new_postgresql_database("TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en-US'") as url:
        yield migrated(url)


@pytest_asyncio.fixture
async def english(english_url: str) -> AsyncIterator[Database]:
    database = Database(create_engines(database_settings(english_url)), create_session_factory())
    yield database
    await database.close()


@pytest.mark.parametrize("sort", ["username", "-email", "-created,username"])
async def test_the_order_of_text_does_not_depend_on_the_language_of_the_database(english: Database, sort: str) -> None:
    users = UserDao(english)
    expected = in_order(await fill(users, english.write), sort)
    get = partial(get_page, english, users)
    for pages in (await there(get, sort=sort, limit=2), await and_back(get, sort=sort, limit=2)):
        assert list(chain.from_iterable(pages)) == expected
