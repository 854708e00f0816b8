"""Fixtures of the heavy tests, which run on both databases or not at all."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.databases import migrated, new_postgresql_database, why_unreachable


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield migrated(f"sqlite+aiosqlite:///{tmp_path}/carboy.db")
    elif reason := why_unreachable():
        pytest.fail(f"PostgreSQL cannot be reached: {reason}")
    else:
        with new_postgresql_database() as url:
            yield migrated(url)


@pytest.fixture
def tell(database_url: str, capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Return what shows how far a test has come, which takes minutes, on the terminal."""
    name = database_url.partition("+")[0]

    def tell(figures: str) -> None:
        with capsys.disabled():
            print(f"{name}: {figures}", flush=True)  # noqa: T201 - it is to be seen.

    return tell
