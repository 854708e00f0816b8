"""Fixtures of the application's unit tests."""

from collections.abc import Iterator

import pytest
from support.people import RecordedMails

from carboy.config.settings import Settings
from carboy.testing import MemoryDatabase, override
from containers import Container


@pytest.fixture
def mails() -> RecordedMails:
    return RecordedMails()


@pytest.fixture
def container(settings: Settings, database: MemoryDatabase, mails: RecordedMails) -> Iterator[Container]:
    container = Container()
    with override(container, settings=settings, database=database, post=mails):
        yield container
