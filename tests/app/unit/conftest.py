"""Fixtures of the application's unit tests."""

from collections.abc import Iterator

import pytest
from flask import Flask
from support.people import RecordedMails
from support.shared import SharedApplication

from app import create_app
from app.settings import Settings
from carboy.testing import MemoryDatabase, override
from containers import Container


@pytest.fixture
def mails() -> RecordedMails:
    return RecordedMails()


@pytest.fixture(scope="module")
def shared(loaded_settings: Settings) -> Iterator[SharedApplication]:
    container = Container()
    with override(container, settings=loaded_settings):
        shared = SharedApplication(container, create_app)
        yield shared
        shared.unwire()


@pytest.fixture
def container(
    shared: SharedApplication,
    loaded_settings: Settings,
    settings: Settings,
    database: MemoryDatabase,
    mails: RecordedMails,
) -> Iterator[Container]:
    """The shared container, without what the test before made; one of the test's own where its settings are."""
    container = shared.container if settings is loaded_settings else Container()
    container.reset_singletons()
    with override(container, settings=settings, database=database, post=mails):
        yield container


@pytest.fixture
def app(shared: SharedApplication, container: Container) -> Iterator[Flask]:
    with shared.serving(container) as app:
        yield app
