"""What a database refuses is an error that a client can act on, the same on each database."""

import json
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import func, select, text
from sqlalchemy import insert as insert_into
from sqlalchemy.exc import IntegrityError
from support.kinds import (
    BoxDao,
    Colour,
    NameTakenError,
    Note,
    PlaceTakenError,
    SealTakenError,
    ShelfDao,
    Tables,
)

from carboy.daos.base import Dao
from carboy.db import Database, Engines
from carboy.errors import CarboyError, InUseError, InvalidInputError

PRICE = Tables.metadata.tables["apart_boxes"].c.price
SORTED = select(PRICE).where(Decimal("0.15") <= PRICE).order_by(PRICE)
TOTAL = select(func.sum(PRICE))


@pytest_asyncio.fixture
async def kinds(database: Database, engines: Engines) -> AsyncIterator[Database]:
    """A database that has the tables of every kind of column."""
    async with engines.migrator.begin() as connection:
        await connection.run_sync(Tables.metadata.create_all)
    yield database
    async with engines.migrator.begin() as connection:
        await connection.run_sync(Tables.metadata.drop_all)


@pytest.fixture
def shelves(kinds: Database) -> ShelfDao:
    return ShelfDao(kinds)


@pytest.fixture
def boxes(kinds: Database) -> BoxDao:
    return BoxDao(kinds)


async def change(dao: Dao[Any], method: str, *args: Any, **options: Any) -> Any:
    return await dao._database.write(lambda: getattr(dao, method)(*args, **options))  # noqa: SLF001 - its own unit of work.


async def refused(dao: Dao[Any], method: str, *args: Any) -> dict[str, Any]:
    """Return what a client is told of a change that is refused."""
    with pytest.raises(CarboyError) as raised:
        await change(dao, method, *args)
    return {"status": int(raised.value.status), "detail": str(raised.value), **raised.value.extensions}


async def test_a_reference_to_nothing_is_an_invalid_field(boxes: BoxDao) -> None:
    box = await change(boxes, "add", {"label": "a"})
    for method, args in {"add": [{"label": "b", "shelf_id": 9}], "update": [box.id, {"shelf_id": 9}]}.items():
        told = await refused(boxes, method, *args)
        assert told["status"] == 422
        assert told["errors"] == [{"pointer": "#/shelf_id", "detail": "Must be the id of something that exists."}]


async def test_a_reference_to_nothing_may_have_an_error_of_its_own(kinds: Database) -> None:
    class Strict(BoxDao):
        conflicts = {"shelf_id": PlaceTakenError}

    with pytest.raises(PlaceTakenError):
        await change(Strict(kinds), "add", {"label": "b", "shelf_id": 9})


async def test_a_row_in_use_is_a_conflict_that_says_what_refers_to_it(shelves: ShelfDao, boxes: BoxDao) -> None:
    shelf = await change(shelves, "add", {"name": "a"})
    await change(boxes, "add", {"label": "a", "shelf_id": shelf.id})
    assert await refused(shelves, "delete", shelf.id) == {
        "status": 409,
        "detail": "apart_boxes refer to this one.",
        "used_by": ["apart_boxes"],
    }
    with pytest.raises(InUseError):
        await change(shelves, "delete", shelf.id, versions=frozenset({1}))


async def test_a_row_that_its_own_table_refers_to_is_in_use(shelves: ShelfDao) -> None:
    shelf = await change(shelves, "add", {"name": "a"})
    await change(shelves, "add", {"name": "b", "above_id": shelf.id})
    assert (await refused(shelves, "delete", shelf.id))["used_by"] == ["apart_shelves"]


async def test_a_row_in_use_may_have_an_error_of_its_own(kinds: Database, shelves: ShelfDao, boxes: BoxDao) -> None:
    class Strict(ShelfDao):
        conflicts = {"apart_boxes": PlaceTakenError}

    shelf = await change(shelves, "add", {"name": "a"})
    await change(boxes, "add", {"label": "a", "shelf_id": shelf.id})
    with pytest.raises(PlaceTakenError):
        await change(Strict(kinds), "delete", shelf.id)


async def test_references_that_cascade_or_are_emptied_keep_no_row(kinds: Database, boxes: BoxDao) -> None:
    box = await change(boxes, "add", {"label": "a"})
    await change(boxes, "add", {"label": "b", "next_id": box.id})
    insert = insert_into(Note).values(box_id=box.id)
    await kinds.write(lambda: kinds.execute(insert, writes=True))
    await change(boxes, "delete", box.id)
    left = text("SELECT (SELECT count(*) FROM apart_notes), (SELECT count(*) FROM apart_boxes WHERE next_id IS NULL)")
    assert [*map(tuple, await kinds.read(lambda: kinds.execute(left)))] == [(0, 1)]


async def test_a_unique_index_of_a_column_is_declared_by_the_column(shelves: ShelfDao) -> None:
    await change(shelves, "add", {"name": "a"})
    other = await change(shelves, "add", {"name": "b"})
    for method, args in {"add": [{"name": "a"}], "update": [other.id, {"name": "a"}]}.items():
        with pytest.raises(NameTakenError):
            await change(shelves, method, *args)


async def test_a_partial_unique_index_is_declared_by_its_name(boxes: BoxDao) -> None:
    await change(boxes, "add", {"label": "A", "sealed": True})
    with pytest.raises(SealTakenError):
        await change(boxes, "add", {"label": "A", "sealed": True})


async def test_a_unique_constraint_of_two_columns_is_declared_by_both(shelves: ShelfDao, boxes: BoxDao) -> None:
    shelf = await change(shelves, "add", {"name": "a"})
    await change(boxes, "add", {"label": "a", "shelf_id": shelf.id, "quantity": 1})
    with pytest.raises(PlaceTakenError):
        await change(boxes, "add", {"label": "b", "shelf_id": shelf.id, "quantity": 1})


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({"label": "b", "mark": "A"}, "ix_boxes_folded"),
        ({"label": None}, "label"),
        ({"label": "x", "id": 1}, "pk_apart_boxes"),
    ],
)
async def test_what_is_not_declared_names_its_constraint(boxes: BoxDao, values: Mapping[str, Any], name: str) -> None:
    await change(boxes, "add", {"label": "a", "mark": "a"})
    with pytest.raises(IntegrityError) as raised:
        await change(boxes, "add", values)
    [note] = raised.value.__notes__
    assert name in note
    assert "of the table apart_boxes, for which no error is declared" in note


@pytest.mark.parametrize(
    ("values", "pointer"),
    [
        ({"quantity": -1}, "#/quantity"),
        ({"lid": Colour.RED}, "#"),
        ({"quantity": 2**31}, "#/quantity"),
        ({"quantity": -(2**31) - 1}, "#/quantity"),
        ({"grains": 2**63}, "#/grains"),
        ({"shelf_id": 2**64}, "#/shelf_id"),
        ({"label": "x" * 21}, "#/label"),
        ({"label": "a\0b"}, "#/label"),
        ({"weight": float("nan")}, "#/weight"),
        ({"weight": float("inf")}, "#/weight"),
        ({"price": Decimal("1000000000000.00")}, "#/price"),
        ({"price": Decimal("0.005")}, "#/price"),
        ({"price": Decimal("NaN")}, "#/price"),
        ({"opened_at": datetime(9999, 12, 31, 23, tzinfo=timezone(timedelta(hours=-12)))}, "#/opened_at"),
        ({"opened_at": datetime.max.replace(tzinfo=UTC)}, "#/opened_at"),
        ({"opened_at": datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=12)))}, "#/opened_at"),
    ],
)
async def test_a_value_that_a_column_cannot_hold_is_an_invalid_field(
    boxes: BoxDao, values: Mapping[str, Any], pointer: str
) -> None:
    box = await change(boxes, "add", {"label": "a"})
    for method, args in {"add": [{"label": "b", **values}], "update": [box.id, values]}.items():
        with pytest.raises(InvalidInputError) as raised:
            await change(boxes, method, *args)
        assert [problem["pointer"] for problem in raised.value.extensions["errors"]] == [pointer]


async def test_a_choice_that_sql_has_written_is_one_of_the_enum(kinds: Database, boxes: BoxDao) -> None:
    await change(boxes, "add", {"label": "a"})
    with pytest.raises(IntegrityError, match="ck_apart_boxes_colour"):
        await kinds.write(lambda: kinds.execute(text("UPDATE apart_boxes SET colour = 'pink'"), writes=True))


async def test_every_kind_is_read_as_it_was_written(boxes: BoxDao) -> None:
    values = {
        "label": "a",
        "colour": Colour.GREEN,
        "lid": Colour.BLUE,
        "sealed": True,
        "price": Decimal("-999999999999.99"),
        "load": Decimal("999999999.999999999"),
        "weight": 1e308,
        "quantity": 2**31 - 1,
        "grains": -(2**63),
        "packed_on": date(1, 1, 1),
        "opened_at": datetime(9999, 12, 31, 23, 59, 59, 999998, UTC),
        "extra": {"a": [1, 2.5, None, True, "ä"]},
        "tags": ["b", "a"],
    }
    box = await change(boxes, "add", values)
    assert box.model_dump(include={*values}) == {name: value for name, value in values.items() if name != "sealed"}
    assert json.loads(box.model_dump_json())["price"] == "-999999999999.99"
    assert await change(boxes, "get", box.id) == box


async def test_an_empty_json_value_is_null(boxes: BoxDao, kinds: Database) -> None:
    await change(boxes, "add", {"label": "a", "extra": None})
    empty = text("SELECT count(*) FROM apart_boxes WHERE extra IS NULL")
    assert [*map(tuple, await kinds.read(lambda: kinds.execute(empty)))] == [(1,)]


async def test_amounts_sort_compare_and_add_as_numbers(boxes: BoxDao, kinds: Database) -> None:
    prices = [Decimal(price) for price in ("9.00", "10.00", "-1.50", "0.10", "0.20", "100.00", "-20.00")]
    for number, price in enumerate(prices):
        await change(boxes, "add", {"label": str(number), "price": price})
    found = await kinds.read(lambda: kinds.execute(SORTED))
    assert [row.price for row in found] == sorted(price for price in prices if price >= Decimal("0.15"))
    [(total,)] = await kinds.read(lambda: kinds.execute(TOTAL))
    assert total == sum(prices)


async def test_choices_sort_by_their_text(boxes: BoxDao, kinds: Database) -> None:
    for colour in Colour:
        await change(boxes, "add", {"label": colour.value, "colour": colour})
    found = await kinds.read(lambda: boxes.page(limit=9, sort="colour"))
    assert [box.colour for box in found.records] == sorted(Colour) == ["Green", "blue", "red"]
