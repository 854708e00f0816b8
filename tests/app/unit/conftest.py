"""Fixtures of the application's unit tests."""

from collections.abc import Iterator

import pytest
from support.people import RecordedMails

from carboy.testing import override
from containers import Container


@pytest.fixture
def mails() -> RecordedMails:
    return RecordedMails()


@pytest.fixture
def container(container: Container, mails: RecordedMails) -> Iterator[Container]:
    with override(container, post=mails):
        yield container
