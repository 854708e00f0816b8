"""Migrations that hold up nobody: outside of the transaction, and looked through by squawk."""

import asyncio
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from textwrap import indent

import pytest
from flask import Flask
from sqlalchemy import inspect, text
from support.databases import database_settings
from support.migrating import flask_db, newest, write_revision

from carboy.db import create_engines, migrate
from carboy.db.histories import VERSION_TABLES, MigrationError, tables_of

ROOT = Path(__file__).parents[3]
PARENT = newest()
CONCURRENTLY = """with op.get_context().autocommit_block():
        op.create_index("ix_users_version", "users", ["version"], postgresql_concurrently=True)"""
DROP = 'op.drop_index("ix_users_version", "users")'


@pytest.fixture
def database_url(empty_url: str) -> str:
    return empty_url


def squawk(sql: str) -> str:
    program = shutil.which("squawk", path=str(Path(sys.executable).parent))
    assert program is not None, "make .venv/dev.stamp installs it"
    done = subprocess.run(  # noqa: S603 - the one that the lock pins.
        [program, "--reporter", "gcc"], cwd=ROOT, input=sql, capture_output=True, text=True, check=False
    )
    return done.stdout


async def indexes(url: str) -> set[str | None]:
    engines = create_engines(database_settings(url))
    async with engines.migrator.begin() as connection:
        found = await connection.run_sync(lambda sync: inspect(sync).get_indexes("users"))
    await engines.dispose()
    return {index["name"] for index in found}


async def test_an_index_is_built_concurrently(empty_url: str, migrations: Path) -> None:
    write_revision(migrations, "aaaa", PARENT, CONCURRENTLY, DROP)
    write_revision(migrations, "bbbb", "aaaa", 'op.add_column("users", sa.Column("nick", sa.Text()))')
    await migrate.run(create_engines(database_settings(empty_url)), "app", migrate.upgrade, "head")
    assert "ix_users_version" in await indexes(empty_url)
    await migrate.run(create_engines(database_settings(empty_url)), "app", migrate.downgrade, PARENT)
    assert "ix_users_version" not in await indexes(empty_url)


async def test_what_fails_after_an_index_was_built_concurrently_is_rolled_back(
    empty_url: str, migrations: Path
) -> None:
    engines = create_engines(database_settings(empty_url))
    await migrate.run(engines, "app", migrate.upgrade, PARENT)
    write_revision(migrations, "aaaa", PARENT, CONCURRENTLY, DROP)
    failing = 'op.create_index("ix_users_active", "users", ["active"]); op.execute("SELECT * FROM nowhere")'
    write_revision(migrations, "bbbb", "aaaa", failing)
    with pytest.raises(MigrationError, match="nowhere"):
        await migrate.run(engines, "app", migrate.upgrade, "head")
    # SQLite needs no block, and stays in the transaction.
    left = {"ix_users_version"} if empty_url.startswith("postgresql") else set()
    assert {"ix_users_version", "ix_users_active"} & await indexes(empty_url) == left


async def test_processes_that_migrate_at_once_do_not_wait_for_each_other_for_ever(
    empty_url: str, migrations: Path
) -> None:
    write_revision(migrations, "aaaa", PARENT, CONCURRENTLY, DROP)
    async with asyncio.timeout(40):
        await asyncio.gather(
            *(
                migrate.run(create_engines(database_settings(empty_url)), "app", migrate.upgrade, "head")
                for _ in range(3)
            )
        )
    assert "ix_users_version" in await indexes(empty_url)


def statements(sql: str) -> Iterable[str]:
    lines = (line for line in sql.splitlines() if line and not line.startswith("--"))
    return (statement.strip() for statement in "\n".join(lines).split(";") if statement.strip())


async def test_the_sql_of_all_revisions_makes_the_same_schema(app: Flask, postgresql_database: str) -> None:
    sql = await asyncio.to_thread(flask_db, app, "sql", "--dialect", "postgresql")
    assert "-- By rows, so that it is not in this text: SELECT users.id" in sql
    # Two histories, of which one makes indexes outside of its transaction, while others write, in two revisions.
    assert sql.count("BEGIN") == sql.count("COMMIT") == 4
    engines = create_engines(database_settings(postgresql_database))
    async with engines.migrator.connect() as connection:
        await connection.execute(text("CREATE SCHEMA by_sql"))
        await connection.execute(text("SET search_path TO by_sql, public"))
        for statement in statements(sql):
            if statement not in {"BEGIN", "COMMIT"}:
                await connection.exec_driver_sql(statement.replace(" CONCURRENTLY", ""))
        found = await connection.run_sync(lambda sync: set(inspect(sync).get_table_names(schema="by_sql")))
    await engines.dispose()
    tables = {table.name for package in ("app", "carboy") for table in tables_of(package)}
    assert found == tables | {*VERSION_TABLES.values()}


def test_the_sql_of_a_range_is_the_applications_alone(app: Flask) -> None:
    sql = flask_db(app, "sql", "f2a675760b18:5d0c7be1a942")
    assert "full_name_key" in sql
    assert "CREATE TABLE" not in sql
    assert "carboy_version" not in sql


@pytest.mark.parametrize(
    ("upgrade", "rule"),
    [
        ('op.create_index("ix_users_version", "users", ["version"])', "require-concurrent-index-creation"),
        ('op.add_column("users", sa.Column("nick", sa.Text(), nullable=False))', "adding-required-field"),
        ('op.alter_column("users", "version", type_=sa.BigInteger())', "changing-column-type"),
        ('op.alter_column("users", "email", new_column_name="mail")', "renaming-column"),
        (CONCURRENTLY, ""),
        ("pass", ""),
    ],
)
def test_squawk_warns_of_what_locks_a_large_table(app: Flask, migrations: Path, upgrade: str, rule: str) -> None:
    write_revision(migrations, "aaaa", PARENT, upgrade)
    warned = squawk(flask_db(app, "sql", "--dialect", "postgresql", f"{PARENT}:head"))
    assert (rule in warned) if rule else "warning" not in warned, warned


def test_the_type_of_an_enum_stands_in_the_sql(app: Flask, migrations: Path) -> None:
    kind = 'sa.Enum("draft", "sent", name="status")'
    write_revision(migrations, "aaaa", PARENT, f"{kind}.create(op.get_bind(), checkfirst=True)")
    sql = flask_db(app, "sql", "--dialect", "postgresql", f"{PARENT}:head")
    assert "CREATE TYPE status AS ENUM ('draft', 'sent');" in sql


def test_what_the_guide_says_of_large_tables_works_and_squawk_agrees(app: Flask, migrations: Path) -> None:
    steps = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "migrations.md").read_text(), flags=re.DOTALL)
    assert len(steps) == 3
    parents = [PARENT, *(f"step{number}" for number in range(len(steps)))]
    for parent, revision, step in zip(parents, parents[1:], steps, strict=False):
        write_revision(migrations, revision, parent, indent(step, "    ").strip())
    flask_db(app, "upgrade")
    warned = squawk(flask_db(app, "sql", "--dialect", "postgresql", f"{PARENT}:head"))
    assert "warning" not in warned, warned
