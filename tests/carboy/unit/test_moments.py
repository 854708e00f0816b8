"""How a moment is kept in SQLite: as SQLAlchemy would spell it, in UTC, so that text sorts as time does."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import Column, Connection, MetaData, NullPool, Table, create_engine, select, text
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import StatementError

from carboy.models.base import UtcDateTime

MOMENTS = [
    datetime(2026, 11, 25, 4, 5, 6, 789, UTC),
    datetime(2026, 11, 25, 4, 5, 6, 0, UTC),
    datetime(1, 1, 1, 0, 0, 0, 1, UTC),
    datetime(9999, 12, 31, 23, 59, 59, 999999, UTC),
    datetime(2026, 11, 25, 0, 30, 0, 0, timezone(timedelta(hours=5, minutes=45))),
    datetime(2026, 11, 25, 23, 30, 0, 0, timezone(-timedelta(hours=9, seconds=1))),
]


USUAL = sqlite.DATETIME()  # type: ignore[no-untyped-call]
KEPT = Table("kept", MetaData(), Column("ours", UtcDateTime()), Column("usual", USUAL))


@pytest.fixture
def connection() -> Iterator[Connection]:
    # Without a pool, which would keep the connection open.
    with create_engine("sqlite://", poolclass=NullPool).connect() as connection:
        KEPT.create(connection)
        yield connection


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_moment_is_spelt_as_sqlalchemy_spells_it_and_is_read_again(connection: Connection, moment: datetime) -> None:
    connection.execute(KEPT.insert(), {"ours": moment, "usual": moment.astimezone(UTC)})
    ours, usual = connection.execute(text("SELECT ours, usual FROM kept")).one()
    assert ours == usual
    read = connection.execute(select(KEPT.c.ours)).scalar_one()
    assert (read, read.utcoffset()) == (moment, timedelta(0))


def test_a_moment_without_a_time_zone_is_refused(connection: Connection) -> None:
    with pytest.raises(StatementError, match="needs a time zone"):
        connection.execute(KEPT.insert(), {"ours": datetime(2026, 11, 25)})  # noqa: DTZ001 - that is the point.


def test_no_moment_stays_none(connection: Connection) -> None:
    connection.execute(KEPT.insert(), {"ours": None})
    assert connection.execute(select(KEPT.c.ours)).scalar_one() is None
