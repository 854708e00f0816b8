"""Fixtures of all tests. The container has a database in memory; integration tests have one with a real database."""

# ruff: noqa: E402 - bytecode is kept before anything of the project is imported.
import gc
import os
import sys

# Nothing that is imported is garbage: to look for it takes a seventh of the time until the first test.
gc.disable()
# Some machines tell Python to keep none. Then each of the hundreds of processes that tests start compiles the project.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

import shutil
from collections.abc import Callable, Generator, Iterator, Mapping
from pathlib import Path

import pytest
from flask import Flask
from support import accounts
from support.shared import SharedApplication
from support.turns import turn

import app
from app.settings import Settings
from carboy.config import load_settings
from carboy.testing import MemoryDatabase, override
from containers import CONFIG_FILE, Container

pytest_plugins = ["carboy.testing.fixtures"]

KINDS = ("e2e", "integration", "unit")
"""The kinds of tests, those whose files take longest first."""


def pytest_collection_finish() -> None:
    gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take long, so that none is left over for one process alone in the end.

    The files whose every test wants the machine for itself come last: before them are unit tests, for which they need
    not wait long.
    """
    files: dict[Path, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.path, []).append(item)
    items[:] = [item for tests in sorted(files.values(), key=_turn_of) for item in tests]


def _turn_of(tests: list[pytest.Item]) -> int:
    if all(test.get_closest_marker("alone") for test in tests):
        return len(KINDS)
    return next((place for place, kind in enumerate(KINDS) if kind in tests[0].path.parts), 0)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Run a test that is marked ``alone`` while no other one runs; what it waits is no part of its time limit."""
    with turn(alone=item.get_closest_marker("alone") is not None):
        return (yield)


@pytest.fixture(autouse=True)
def _no_settings_of_the_developer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away what could make a test depend on the shell that it was started from."""
    for name in os.environ:
        if name.startswith("CARBOY_") and not name.startswith("CARBOY_TEST_"):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def loaded_settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The settings of all tests, which cannot be changed. To read them takes longer than most tests do."""
    folder = tmp_path_factory.mktemp("settings")
    # A copy, as a developer may have a carboy.env file beside the original.
    config_file = Path(shutil.copy(CONFIG_FILE, folder))
    url = f"sqlite+aiosqlite:///{folder}/carboy.db"
    return load_settings(Settings, config_file, {"CARBOY_ENV": "testing", "CARBOY_DATABASE__URL": url})


@pytest.fixture
def settings(loaded_settings: Settings) -> Settings:
    return loaded_settings


@pytest.fixture(scope="module")
def shared(loaded_settings: Settings) -> Iterator[SharedApplication]:
    """What the tests of a module share that have no settings of their own."""
    container = Container()
    with override(container, settings=loaded_settings):
        shared = SharedApplication(container, app.create_app)
        yield shared
        shared.unwire()


@pytest.fixture
def container(
    request: pytest.FixtureRequest,
    shared: SharedApplication,
    loaded_settings: Settings,
    settings: Settings,
    database: MemoryDatabase,
) -> Iterator[Container]:
    """The shared container, without what the test before made; one of the test's own where its settings are.

    A test that changes its application is marked ``own_app``.
    """
    parts = {"settings": settings, "engines": database.engines, "database": database}
    with shared.container_with(request.node, is_usual=settings is loaded_settings, **parts) as container:
        yield container


@pytest.fixture(name="app")
def application(shared: SharedApplication, container: Container) -> Iterator[Flask]:
    with shared.serving(container) as application:
        yield application


@pytest.fixture
def client_headers() -> Mapping[str, str]:
    """The key of a service that may do everything: most tests are about something else."""
    return accounts.HEADERS


@pytest.fixture
def create_app() -> Callable[[Container], Flask]:
    return app.create_app
