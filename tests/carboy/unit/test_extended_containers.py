"""A container that extends the application's."""

import pytest
from dependency_injector import providers

from carboy.config import SettingsError
from carboy.config.settings import Settings
from carboy.di.lifecycle import opened
from carboy.testing import MemoryDatabase, override
from containers import Container


class Extended(Container):
    __self__ = Container.__self__
    more = providers.Object("more")


class Forgetful(Container):
    more = providers.Object("more")


async def test_the_jobs_of_a_container_that_extends_another_are_given_its_own(
    settings: Settings, database: MemoryDatabase
) -> None:
    for container in (Container(), Extended()):
        with override(container, settings=settings, database=database):
            resolve = container.job_performer().resolve
            assert resolve("mailer") is container.mailer()


async def test_one_that_does_not_say_so_is_refused_at_start(settings: Settings, database: MemoryDatabase) -> None:
    container = Forgetful()
    with (
        override(container, settings=settings, database=database),
        pytest.raises(SettingsError, match=r"extends the container .* write `__self__ = Container\.__self__`"),
    ):
        async with opened(container):
            pass
