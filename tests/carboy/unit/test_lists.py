"""What a list can be asked for, and that every resource keeps to it."""

import re
import sys
from itertools import product
from typing import Annotated, Any

import pytest
from pydantic import TypeAdapter, ValidationError
from sqlalchemy import Index, Table, UniqueConstraint
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Mapped
from support.apart import Apart

from app.users.schemas import UserQuery, UserRead
from carboy.daos.base import Dao
from carboy.models import Amount, KeyText, Money, sortable
from carboy.models.base import table_of
from carboy.schemas.base import PageQuery, Record, fields_of, sort_by, sorts_of
from containers import Container

SORT = Annotated[str, sort_by("username", created="created_at")]
MADE = [getattr(provider, "provides", None) for provider in Container.providers.values()]
DAOS = [made for made in MADE if isinstance(made, type) and issubclass(made, Dao)]


def queries_of(dao: type[Dao[Any]]) -> list[type[PageQuery]]:
    schemas = vars(sys.modules[dao.record.__module__]).values()
    found = [schema for schema in schemas if isinstance(schema, type) and issubclass(schema, PageQuery)]
    return [schema for schema in found if schema is not PageQuery]


def indexed(table: Table) -> set[str]:
    """Return the columns that are the first of an index."""
    constraints = [item for item in table.constraints if isinstance(item, UniqueConstraint)]
    groups: list[Index | UniqueConstraint] = [*table.indexes, *constraints]
    return {next(iter(table.primary_key.columns)).name, *(next(iter(group.columns)).name for group in groups)}


@pytest.mark.parametrize("dao", DAOS)
def test_a_list_can_be_sorted_only_by_what_has_an_index(dao: type[Dao[Any]]) -> None:
    table = dao.model.metadata.tables[dao.model.__tablename__]
    columns = [table.c[name] for name in sorts_of(dao.query).values()]
    assert {column.name for column in columns} <= indexed(table)


@pytest.mark.parametrize("dao", DAOS)
def test_text_that_lists_are_sorted_by_is_in_the_same_order_on_each_database(dao: type[Dao[Any]]) -> None:
    table = dao.model.metadata.tables[dao.model.__tablename__]
    types = [table.c[name].type for name in sorts_of(dao.query).values()]
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    texts = [kind.compile(dialect) for kind in types if kind.python_type is str]
    assert all(text.endswith('COLLATE "C"') for text in texts)


@pytest.mark.parametrize("dao", DAOS)
def test_a_dao_names_the_query_that_stands_beside_its_record(dao: type[Dao[Any]]) -> None:
    queries = queries_of(dao)
    assert queries == [] or dao.query in queries


def test_the_lists_of_the_tests_above_are_found() -> None:
    assert [queries_of(dao) for dao in DAOS if dao.record is UserRead] == [[UserQuery]]


@pytest.mark.parametrize(
    "schema", [SORT, Annotated[str, fields_of(UserRead)], Annotated[str, sort_by()], Annotated[str, fields_of(Record)]]
)
def test_the_documented_pattern_is_what_is_taken(schema: Any) -> None:
    adapter = TypeAdapter(schema)
    documented = adapter.json_schema()
    parts = ["id", "created", "username", "user", "email", ""]
    signs = ["", "-", "--", "+", " "]
    names = [sign + part for sign, part in product(signs, parts)]
    texts = [",".join(some) for count in (1, 2, 3) for some in product(names, repeat=count)]
    for text in [*texts, *documented["examples"], "id\n", "ID", "id;created", "created_at", "id,version,updated_at,id"]:
        try:
            adapter.validate_python(text)
            is_taken = True
        except ValidationError:
            is_taken = False
        # In JSON Schema, unlike in Python, $ does not match before a line feed.
        assert bool(re.fullmatch(documented["pattern"], text)) == is_taken, text


def test_a_sort_and_fields_are_documented_as_text() -> None:
    properties = UserQuery.model_json_schema()["properties"]
    assert properties["sort"]["type"] == "string"
    assert properties["sort"]["default"] == "id"
    assert properties["sort"]["examples"] == ["-email,id"]
    assert "reverses" in properties["sort"]["description"]
    assert properties["fields"]["anyOf"] == [{"type": "string"}, {"type": "null"}]
    assert properties["total"]["type"] == "boolean"


def test_a_sortable_column_has_an_index_in_which_the_id_follows() -> None:
    class Meal(Apart):
        __tablename__ = "meals"

        price: Mapped[Money] = sortable()
        name: Mapped[str | None] = sortable(KeyText)

    table = table_of(Meal)
    found = {str(index.name): [column.name for column in index.columns] for index in table.indexes}
    assert found == {"ix_meals_price_id": ["price", "id"], "ix_meals_name_id": ["name", "id"]}
    assert (table.c.price.nullable, table.c.name.nullable) == (False, True)
    assert (repr(table.c.price.type), table.c.name.type) == (repr(Amount(14, 2)), KeyText)
