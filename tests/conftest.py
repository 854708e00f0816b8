"""Fixtures of all tests. Here the container holds fakes; the integration tests replace it by one with a database."""

import os
import shutil
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest
from flask import Flask
from support.turns import turn

import app
from carboy.config import load_settings
from carboy.config.settings import Settings
from carboy.testing import fakes_of, override
from containers import CONFIG_FILE, Container

pytest_plugins = ["carboy.testing.fixtures"]


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


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    url = f"sqlite+aiosqlite:///{tmp_path}/carboy.db"
    # A copy, as a developer may have a carboy.env file beside the original.
    config_file = Path(shutil.copy(CONFIG_FILE, tmp_path))
    return load_settings(Settings, config_file, {"CARBOY_ENV": "testing", "CARBOY_DATABASE__URL": url})


@pytest.fixture
def container(settings: Settings) -> Iterator[Container]:
    container = Container()
    with override(container, settings=settings, **fakes_of(container)):
        yield container


@pytest.fixture
def create_app() -> Callable[[Container], Flask]:
    return app.create_app
