"""Fixtures of the heavy tests, which run on both databases or not at all."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support import figures
from support.databases import migrated, new_postgresql_database, why_unreachable, with_services


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield with_services(migrated(f"sqlite+aiosqlite:///{tmp_path}/carboy.db"))
    elif reason := why_unreachable():
        pytest.fail(f"PostgreSQL cannot be reached: {reason}")
    else:
        with new_postgresql_database() as url:
            yield with_services(migrated(url))


@pytest.fixture
def show(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Return what shows how far a test has come, which takes minutes, on the terminal."""

    def show(figures: str) -> None:
        with capsys.disabled():
            print(figures, flush=True)  # noqa: T201 - it is to be seen.

    return show


@pytest.fixture
def tell(database_url: str, show: Callable[[str], None]) -> Callable[[str], None]:
    """Return what shows it with the name of the database."""
    name = database_url.partition("+")[0]
    return lambda figures: show(f"{name}: {figures}")


@pytest.fixture
def keep(request: pytest.FixtureRequest, show: Callable[[str], None]) -> figures.Keep:
    """Return what shows the figures of a test, and keeps them for the report with those that are promised."""

    def keep(text: str, promises: figures.Promises) -> None:
        show(f"{request.node.name}: {text}")
        figures.keep(request.node.path.name, request.node.name, text, promises)

    return keep
