"""Search indexes: in migrated databases, in step with their tables, and asked for what is rare."""

import re
from functools import partial
from typing import Any

from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Connection, String, literal, select, text
from support.databases import database_settings
from support.users import registration

from app.users.daos import UserDao
from app.users.models import User
from carboy.daos.declarations import searched_in
from carboy.db import Database, Engines, create_engines, create_session_factory, migrate
from carboy.db.histories import Histories
from carboy.models.base import table_of
from carboy.models.search import creation, index_name, may_match, name_of, search_tables, trigrams
from containers import Container


def search_indexes(connection: Connection) -> set[str]:
    if connection.dialect.name == "sqlite":
        return set(search_tables(connection))
    return set(connection.execute(text("SELECT indexname FROM pg_indexes")).scalars())


async def test_the_search_index_of_each_model_is_in_the_database(engines: Engines) -> None:
    async with engines.migrator.begin() as connection:
        found = await connection.run_sync(search_indexes)
    assert {"users_search", index_name("users")} & found
    assert searched_in(Container.user_dao.cls) == User.__search__


async def test_a_search_for_what_is_rare_asks_the_index(engines: Engines) -> None:
    users = table_of(User)
    statement = select(users.c.id).where(may_match(users, literal(trigrams("zebra")), [literal("%zebra%")]))
    async with engines.migrator.begin() as connection:
        plan = "EXPLAIN QUERY PLAN"
        if connection.dialect.name == "postgresql":
            # A table without rows is read faster than any index.
            await connection.execute(text("SET LOCAL enable_seqscan = off"))
            plan = "EXPLAIN"
        asked = statement.compile(connection.sync_engine, compile_kwargs={"literal_binds": True})
        steps = str((await connection.exec_driver_sql(f"{plan} {asked}")).all())
    index = name_of(connection.dialect.name, "users")
    assert re.search(rf"(Index Scan on|SCAN) {index}\b", steps), steps


def test_in_which_order_a_model_names_its_columns_says_nothing_of_its_index() -> None:
    one, other = (creation("postgresql", "users", columns) for columns in (["a_key", "b_key"], ["b_key", "a_key"]))
    assert one == other


async def test_what_is_rare_is_found_among_many(database: Database) -> None:
    users = UserDao(database)

    async def add() -> None:
        for number in range(900):
            names = {0: "Zebra", 450: "zébra", 899: "A Zebra"}
            await users.add(registration(f"u{number}", full_name=names.get(number, "Horse")))

    async def found(search: str, **options: Any) -> list[str]:
        page = await database.read(lambda: users.page(limit=2, search=search, **options))
        return [user.username for user in page.records]

    await database.write(add)
    assert await found("zebra") == ["u0", "u899"]
    assert await found("ZÉB", sort="-username") == ["u450"]
    assert await found("horse", sort="-id") == ["u898", "u897"]
    assert await found("zebra", where={"active": False}) == []
    assert await database.read(lambda: users.count(search="zebra")) == 2


async def test_a_table_that_a_migration_copies_is_searched_as_before(database_url: str) -> None:
    engines = create_engines(database_settings(database_url))
    database = Database(create_engines(database_settings(database_url)), create_session_factory())
    users = UserDao(database)
    await database.write(lambda: users.add(registration("ada", full_name="Lovelace")))

    def change(histories: Histories, size: str) -> None:
        operations = Operations(MigrationContext.configure(histories.app.attributes["connection"]))
        with operations.batch_alter_table("users", recreate="auto") as batch:
            batch.alter_column("full_name", type_=String(int(size)))

    await migrate.run(engines, "app", change, "300")
    await database.write(lambda: users.add(registration("eve", full_name="Loveday")))
    for search, names in (("love", ["ada", "eve"]), ("day", ["eve"])):
        page = await database.read(partial(users.page, limit=9, search=search))
        assert [user.username for user in page.records] == names
    await migrate.run(create_engines(database_settings(database_url)), "app", change, "200")
    await database.close()
