"""How a moment is kept in SQLite: as SQL and Python spell it, in UTC, so that text sorts as time does."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import Column, Connection, MetaData, NullPool, Table, create_engine, select, text
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import StatementError

from carboy.models.moments import UtcDateTime

MOMENTS = [
    datetime(2026, 11, 25, 4, 5, 6, 789, UTC),
    datetime(2026, 11, 25, 4, 5, 6, 0, UTC),
    datetime(1, 1, 1, 0, 0, 0, 1, UTC),
    datetime(9999, 12, 31, 23, 59, 59, 999999, UTC),
    datetime(2026, 11, 25, 0, 30, 0, 0, timezone(timedelta(hours=5, minutes=45))),
    datetime(2026, 11, 25, 23, 30, 0, 0, timezone(-timedelta(hours=9, seconds=1))),
]


KEPT = Table("kept", MetaData(), Column("ours", UtcDateTime()))


@pytest.fixture
def connection() -> Iterator[Connection]:
    # Without a pool, which would keep the connection open.
    with create_engine("sqlite://", poolclass=NullPool).connect() as connection:
        KEPT.create(connection)
        yield connection


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_moment_is_spelled_as_python_spells_it_and_is_read_again(connection: Connection, moment: datetime) -> None:
    connection.execute(KEPT.insert(), {"ours": moment})
    spelled = connection.execute(text("SELECT ours FROM kept")).scalar_one()
    assert spelled == moment.astimezone(UTC).replace(tzinfo=None).isoformat(" ")
    read = connection.execute(select(KEPT.c.ours)).scalar_one()
    assert (read, read.utcoffset()) == (moment, timedelta(0))


def test_a_moment_that_sql_has_written_equals_the_same_one_of_ours(connection: Connection) -> None:
    connection.execute(text("INSERT INTO kept VALUES (CURRENT_TIMESTAMP)"))
    written = connection.execute(select(KEPT.c.ours)).scalar_one()
    assert connection.execute(select(KEPT.c.ours == written, KEPT.c.ours > written)).one() == (1, 0)
    connection.execute(KEPT.insert(), {"ours": written})
    assert connection.execute(text("SELECT count(DISTINCT ours) FROM kept")).scalar_one() == 1


def test_moments_sort_as_text_as_they_do_in_time(connection: Connection) -> None:
    second = datetime(2026, 11, 25, 4, 5, 6, 0, UTC)
    moments = [second + timedelta(microseconds=distance) for distance in (-1, 0, 1, 10, 999_999, 1_000_000)]
    connection.execute(KEPT.insert(), [{"ours": moment} for moment in reversed(moments)])
    assert connection.execute(select(KEPT.c.ours).order_by(KEPT.c.ours)).scalars().all() == moments


def test_a_moment_in_a_statement_that_is_printed_is_spelled_alike() -> None:
    statement = select(KEPT.c.ours == datetime(2026, 11, 25, tzinfo=UTC))
    printed = str(statement.compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True}))
    assert "'2026-11-25 00:00:00'" in printed


def test_a_moment_without_a_time_zone_is_refused(connection: Connection) -> None:
    with pytest.raises(StatementError, match="needs a time zone"):
        connection.execute(KEPT.insert(), {"ours": datetime(2026, 11, 25)})  # noqa: DTZ001 - that is the point.


def test_no_moment_stays_none(connection: Connection) -> None:
    connection.execute(KEPT.insert(), {"ours": None})
    assert connection.execute(select(KEPT.c.ours)).scalar_one() is None
