"""One application for all tests of a module: to make one takes longer than most tests do."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from flask import Flask

from carboy.di.wiring import unwire, wire
from containers import Container


class SharedApplication:
    """The application of a container that many tests use, one after the other.

    Args:
        container: The container.
        create_app: Makes the application, when the first test asks for it.
    """

    def __init__(self, container: Container, create_app: Callable[[Container], Flask]) -> None:
        self.container = container
        self._create_app = create_app
        self._app: Flask | None = None
        self._is_wired = False

    def container_for(self, test: pytest.Item, *, is_usual: bool) -> Container:
        """Return the container for a test, with nothing in it that the test before made.

        Args:
            test: The test; one that changes its application is marked ``own_app``, and gets a container of its own.
            is_usual: Whether the test's settings are those of most tests.
        """
        if not is_usual or test.get_closest_marker("own_app") is not None:
            return Container()
        self.container.reset_singletons()
        return self.container

    def app_of(self, container: Container) -> Flask:
        """Return the application if the container is the shared one, otherwise a new one of that container."""
        if container is not self.container:
            self.unwire()
            return self._create_app(container)
        if self._app is None:
            self._app = self._create_app(container)
        elif not self._is_wired:
            wire(container, self._app)
        self._is_wired = True
        return self._app

    def unwire(self) -> None:
        """Let another container have the views."""
        if self._is_wired:
            unwire(self.container)
            self._is_wired = False

    @contextmanager
    def serving(self, container: Container) -> Iterator[Flask]:
        yield self.app_of(container)
        if container is not self.container:
            unwire(container)
