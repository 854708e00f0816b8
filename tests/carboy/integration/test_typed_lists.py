"""Lists of all kinds of column: sorted, with nulls at their end, and filtered, on each database."""

import asyncio
import random
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cmp_to_key
from itertools import product
from typing import Any

import pytest
import pytest_asyncio
from pydantic import SecretStr
from sqlalchemy import insert
from support import sold
from support.databases import database_settings
from support.sold import SORTED, Label, Sale, SaleDao, SaleQuery, Seller, Status

from carboy.daos.keyset import Place
from carboy.db import Database, create_engines, create_session_factory
from carboy.errors import InvalidCursorError
from carboy.models import search
from carboy.schemas.base import Page
from carboy.schemas.filters import Filter, Related
from carboy.services import Cursors

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
TODAY = date(2026, 11, 27)
NAMES = ("place", "search", "sort", "limit", "rows", "query", "cursor", "count", "index")
CURSORS = Cursors(SecretStr("x" * 32))
SORTS = [
    *(sign + name for name in ("id", *SORTED) for sign in ("", "-")),
    "due_on,-amount",
    "-due_on,remind_at",
    "remind_at,-due_on,weight",
    "-remind_at,-due_on,-id",
    "status,-weight,quantity",
    "-quantity,number",
    "number,-due_on",
    "amount,-id",
]
search.listen(sold.Tables.metadata)


def make_rows() -> list[dict[str, Any]]:
    chance = random.Random(11)  # noqa: S311 - any sequence will do, if it is always the same.
    return [
        {
            "id": number,
            "seller_id": chance.choice([1, 2]),
            "instead_of_id": chance.choice([None, 1]) if number > 1 else None,
            "amount": Decimal(chance.choice(["-2.50", "0.10", "9.99", "10.00", "100.00"])),
            "due_on": chance.choice([None, TODAY, TODAY - timedelta(days=400), TODAY + timedelta(days=1)]),
            "remind_at": chance.choice([None, NOW, NOW - timedelta(microseconds=1), NOW + timedelta(days=400)]),
            "status": chance.choice([*Status]),
            "weight": chance.choice([None, 0.1, 1 / 3, -1e300, 5e-324]),
            "quantity": chance.choice([None, 0, 9, 10, -(2**31)]),
            "number": None if number % 3 else f"{'é' if number % 2 else 'z'}{number}",
            "note_key": chance.choice([None, "late again", "çedilla", "early"]),
            **{name: chance.choice([None, "x", "y"]) for name in NAMES},
        }
        for number in range(1, 25)
    ]


ROWS = make_rows()
LABELLED = [(row["id"], label) for row in ROWS for label in (1, 2) if row["id"] % (label + 1) == 0]


async def fill(url: str) -> None:
    engines = create_engines(database_settings(url))
    async with engines.writer.begin() as connection:
        await connection.run_sync(sold.metadata.create_all)
        await connection.execute(insert(Seller), [{"name": "Ada", "name_key": "ada"}, {"name": "B", "name_key": "b"}])
        await connection.execute(insert(Label), [{"name": "red"}, {"name": "blue"}])
        await connection.execute(insert(Sale), ROWS)
        await connection.execute(insert(sold.sale_labels), [{"sale_id": a, "label_id": b} for a, b in LABELLED])
    await engines.dispose()


async def drop(url: str) -> None:
    engines = create_engines(database_settings(url))
    async with engines.migrator.begin() as connection:
        await connection.run_sync(sold.metadata.drop_all)
    await engines.dispose()


@contextmanager
def filled(url: str) -> Iterator[None]:
    asyncio.run(fill(url))
    yield
    asyncio.run(drop(url))


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def filled_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A database with the rows, which all tests read; one that changes them uses `restored`."""
    if request.param == "postgresql":
        url = request.getfixturevalue("postgresql_database")
    else:
        copy = shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path_factory.mktemp("sold"))
        url = f"sqlite+aiosqlite:///{copy}"
    with filled(url):
        yield url


@pytest_asyncio.fixture
async def database(filled_url: str) -> AsyncIterator[Database]:
    database = Database(create_engines(database_settings(filled_url)), create_session_factory())
    yield database
    await database.close()


@pytest_asyncio.fixture
async def restored(filled_url: str) -> AsyncIterator[None]:
    yield
    await drop(filled_url)
    await fill(filled_url)


@pytest.fixture
def sales(database: Database) -> SaleDao:
    return SaleDao(database)


def in_order(sort: str) -> list[dict[str, Any]]:
    def compare(one: dict[str, Any], other: dict[str, Any]) -> int:
        last = "-id" if sort.rpartition(",")[2].startswith("-") else "id"
        for name in (*sort.split(","), last):
            a, b = one[name.removeprefix("-")], other[name.removeprefix("-")]
            if a != b:
                if a is None or b is None:
                    return 1 if a is None else -1
                return 1 if (a > b) != name.startswith("-") else -1
        return 0

    return sorted(ROWS, key=cmp_to_key(compare))


async def get(database: Database, sales: SaleDao, **query: Any) -> Page[sold.SaleRead]:
    return await database.read(lambda: CURSORS.page(sales, SaleQuery.model_validate(query)))


def ids(page: Page[Any]) -> list[int]:
    return [item.id for item in page.items]


@pytest.mark.parametrize("sort", SORTS)
async def test_a_list_goes_there_and_back_by_any_kind_of_column(database: Database, sales: SaleDao, sort: str) -> None:
    expected = [row["id"] for row in in_order(sort)]
    for limit in (1, 5, 24):
        pages = [expected[begin : begin + limit] for begin in range(0, len(expected), limit)]
        page = await get(database, sales, sort=sort, limit=limit)
        there = [ids(page)]
        while page.next_cursor is not None:
            page = await get(database, sales, sort=sort, limit=limit, cursor=page.next_cursor)
            there.append(ids(page))
        back = [ids(page)]
        while page.previous_cursor is not None:
            page = await get(database, sales, sort=sort, limit=limit, cursor=page.previous_cursor)
            back.append(ids(page))
        assert there == pages
        assert back[::-1] == pages


@pytest.mark.parametrize("sort", SORTS)
async def test_each_row_is_a_place_to_go_on_from_either_way(database: Database, sales: SaleDao, sort: str) -> None:
    rows = in_order(sort)
    whole = await database.read(lambda: sales.page(limit=24, sort=sort))
    assert [record.id for record in whole.records] == [row["id"] for row in rows]
    for at, backward, inclusive in product(range(0, len(rows), 3), (False, True), (False, True)):
        own = await database.read(lambda at=at: sales.page(limit=at + 1, sort=sort))  # type: ignore[misc]
        place = Place(own.last, backward, inclusive)
        found = await database.read(lambda place=place: sales.page(limit=99, sort=sort, place=place))  # type: ignore[misc]
        wanted = rows[: at + inclusive] if backward else rows[at + (not inclusive) :]
        assert [record.id for record in found.records] == [row["id"] for row in wanted]


def matches_all(row: dict[str, Any]) -> bool:
    return row["note_key"] == "early" and row["id"] % 2 == 0 and row["status"] in {Status.PAID, Status.SENT}


CASES: list[tuple[dict[str, str], Callable[[dict[str, Any]], bool]]] = [
    ({"status": "draft"}, lambda row: row["status"] == Status.DRAFT),
    ({"status": "draft,sent"}, lambda row: row["status"] in {Status.DRAFT, Status.SENT}),
    ({"due_before": "2026-11-27"}, lambda row: row["due_on"] is not None and row["due_on"] < TODAY),
    ({"due_after": "2026-11-26"}, lambda row: row["due_on"] is not None and row["due_on"] >= TODAY),
    (
        {"due_after": "2025-01-01", "due_before": "2026-11-28"},
        lambda row: row["due_on"] in {TODAY, TODAY - timedelta(days=400)},
    ),
    ({"remind_after": "2026-11-27T13:00:00+01:00"}, lambda row: row["remind_at"] == NOW + timedelta(days=400)),
    ({"at_least": "9.99", "at_most": "10"}, lambda row: Decimal("9.99") <= row["amount"] <= 10),
    ({"quantities": "0,-2147483648"}, lambda row: row["quantity"] in {0, -(2**31)}),
    ({"reminded": "true"}, lambda row: row["remind_at"] is not None),
    ({"reminded": "false"}, lambda row: row["remind_at"] is None),
    ({"seller": "ADA"}, lambda row: row["seller_id"] == 1),
    ({"label": "red"}, lambda row: row["id"] % 2 == 0),
    ({"label": "red,blue"}, lambda row: row["id"] % 2 == 0 or row["id"] % 3 == 0),
    ({"label": "green"}, lambda row: False),
    (
        {"instead_of_seller": "ada", "label": "blue"},
        lambda row: row["instead_of_id"] == 1 and ROWS[0]["seller_id"] == 1 and row["id"] % 3 == 0,
    ),
    ({"q": "late"}, lambda row: row["note_key"] == "late again"),
    ({"q": "çed", "reminded": "false"}, lambda row: row["note_key"] == "çedilla" and row["remind_at"] is None),
    ({"q": "ced"}, lambda row: False),
    ({"q": "Ç"}, lambda row: row["note_key"] == "çedilla"),
    ({"q": "ear", "label": "red", "status": "paid,sent"}, matches_all),
    *(
        ({name: "x"}, lambda row, name=name: row[name.removesuffix("_is")] == "x")
        for name in ("place", "search", "rows", "query", "index", "sort_is", "limit_is", "cursor_is")
    ),
]


@pytest.mark.parametrize(("query", "matches"), CASES, ids=lambda case: str(case) if isinstance(case, dict) else "")
async def test_a_list_shows_the_rows_that_a_filter_asks_for(
    database: Database, sales: SaleDao, query: dict[str, str], matches: Callable[[dict[str, Any]], bool]
) -> None:
    for sort in ("id", "-remind_at,due_on"):
        expected = [row["id"] for row in in_order(sort) if matches(row)]
        page = await get(database, sales, sort=sort, limit=3, total=True, **query)
        assert page.total == len(expected)
        seen = ids(page)
        while page.next_cursor is not None:
            page = await get(database, sales, sort=sort, limit=3, cursor=page.next_cursor, **query)
            seen += ids(page)
        assert seen == expected


async def test_a_service_may_add_what_rows_must_have(database: Database, sales: SaleDao) -> None:
    query = SaleQuery(reminded=True)
    page = await database.read(lambda: CURSORS.page(sales, query, {"due_on": None}))
    assert ids(page) == [row["id"] for row in ROWS if row["remind_at"] is not None and row["due_on"] is None]


async def test_a_relation_that_is_not_there_is_a_mistake(database: Database, sales: SaleDao) -> None:
    where: dict[Filter, object] = {Related("buyer", "name"): "ada"}
    with pytest.raises(KeyError, match="buyer"):
        await database.read(lambda: sales.page(limit=1, where=where))


@pytest.mark.parametrize("key", [[], [7], ["a", 1], [None, None], ["2026-11-27", 1, 2], [True, "x"]])
async def test_a_cursor_of_columns_of_other_types_is_refused(
    database: Database, sales: SaleDao, key: list[Any]
) -> None:
    cursor = CURSORS.encode(Place(tuple(key)), sales.name, "-due_on")
    with pytest.raises(InvalidCursorError):
        await get(database, sales, sort="-due_on", cursor=cursor)


async def test_a_cursor_from_before_a_column_lost_decimals_is_refused(database: Database, sales: SaleDao) -> None:
    cursor = CURSORS.encode(Place(("1.2345", 1)), sales.name, "amount")
    with pytest.raises(InvalidCursorError):
        await get(database, sales, sort="amount", cursor=cursor)


@pytest.mark.usefixtures("restored")
async def test_a_search_index_follows_its_table(database: Database, sales: SaleDao) -> None:
    async def found(text: str) -> list[int]:
        return ids(await get(database, sales, q=text))

    late = [row["id"] for row in ROWS if row["note_key"] == "late again"]
    await database.write(lambda: sales.update(late[0], {"note_key": "on time"}))
    await database.write(lambda: sales.update(late[1], {"note_key": None}))
    await database.write(lambda: sales.update(late[2], {"amount": Decimal(1)}))
    assert await found("late") == late[2:]
    assert await found("n tim") == late[:1]
    with pytest.raises(ZeroDivisionError):
        await database.write(lambda: fail_after(sales, late[0]))
    assert await found("n tim") == late[:1]


async def fail_after(sales: SaleDao, identity: int) -> None:
    await sales.update(identity, {"note_key": "never"})
    raise ZeroDivisionError
