"""A table with a column of each kind is made, taken away and made again by the migration that is generated for it."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.databases import new_postgresql_database

TESTS = Path(__file__).parents[2]
MODELS = """
from decimal import Decimal
from enum import StrEnum

from sqlalchemy.orm import Mapped, mapped_column

from carboy.models import (
    Amount, Base, BigWhole, Date, Json, Moment, Money, Number, Tags, Whole, choice, reference
)


class State(StrEnum):
    DRAFT = "draft"
    SENT = "sent"
    ODD = "it's"


class Owner(Base):
    __tablename__ = "owners"


class Invoice(Base):
    __tablename__ = "invoices"

    owner_id: Mapped[int] = reference("owners.id")
    state: Mapped[State] = choice(State)
    order: Mapped[State | None] = choice(State)
    amount: Mapped[Money]
    weight: Mapped[Decimal | None] = mapped_column(Amount(9, 3))
    factor: Mapped[Number]
    quantity: Mapped[Whole]
    grains: Mapped[BigWhole]
    due_on: Mapped[Date]
    remind_at: Mapped[Moment | None]
    extra: Mapped[Json | None]
    tags: Mapped[Tags]
"""
SCRIPT = """
import asyncio, sys
from support.databases import database_settings
from carboy.db import create_engines, migrate

def run(command, *args):
    asyncio.run(migrate.run(create_engines(database_settings(sys.argv[1])), "shop", command, *args))

run(migrate.upgrade, "head")
run(migrate.revision, "create invoices")
for _ in range(2):
    run(migrate.upgrade, "head")
    run(migrate.check)
    run(migrate.downgrade, "base")
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite+aiosqlite:///{tmp_path}/new.db"
    else:
        request.getfixturevalue("postgresql_database")
        with new_postgresql_database() as url:
            yield url


def test_a_generated_migration_of_every_kind_goes_up_down_and_up_again(empty_url: str, tmp_path: Path) -> None:
    package = tmp_path / "shop"
    (package / "migrations").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "models.py").write_text(MODELS, encoding="utf-8")
    environment = {"PYTHONPATH": f"{tmp_path}:{TESTS}"}
    done = subprocess.run(  # noqa: S603 - the script stands here.
        [sys.executable, "-c", SCRIPT, empty_url], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    [written] = (package / "migrations").glob("*.py")
    migration = written.read_text(encoding="utf-8").replace('"', "'")
    for part in (
        "'amount', sa.Numeric(14, 2).with_variant(sa.BigInteger(), 'sqlite'), nullable=False",
        "'state', sa.Text().with_variant(sa.Text(collation='C'), 'postgresql'), nullable=False",
        "'extra', sa.JSON().with_variant(postgresql.JSONB(), 'postgresql'), nullable=True",
        "state IN ('draft', 'sent', 'it''s')",
        "'ck_invoices_state'",
        "'ck_invoices_order'",
        "ondelete='RESTRICT'",
    ):
        assert part in migration
