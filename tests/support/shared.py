"""One application for all tests of a module: to make one takes longer than most tests do."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from dependency_injector.providers import BaseSingleton
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
        self._singletons = [*container.traverse(types=[BaseSingleton])]
        self._create_app = create_app
        self._app: Flask | None = None
        self._is_wired = False

    @contextmanager
    def container_with(self, test: pytest.Item, *, is_usual: bool, **parts: Any) -> Iterator[Container]:
        """Yield the container of a test, which gives these parts, and in which nothing is made yet.

        So nothing in it has been made of other parts, which `override` would have to look for.

        Args:
            test: The test; one that changes its application is marked ``own_app``, and gets a container of its own.
            is_usual: Whether the test's settings are those of most tests.
            **parts: By provider, the object to give in its place.
        """
        is_shared = is_usual and test.get_closest_marker("own_app") is None
        container = self.container if is_shared else Container()
        with container.override_providers(**parts):
            yield container
        if is_shared:
            for singleton in self._singletons:
                singleton.reset()

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
