"""Wiring is global to a module, so that only one live container may hold it, and a failure leaves nothing behind."""

import gc
from collections.abc import Callable
from types import ModuleType

import pytest
from dependency_injector import containers, providers
from flask import Flask

from app import create_app
from carboy.di.wiring import WiringError, current_container, unwire, wire
from carboy.testing import override
from containers import Container

ModuleOf = Callable[[str], ModuleType]

SOURCE = """
from typing import Annotated
from dependency_injector.wiring import Provide, inject
from flask import Blueprint
bp = Blueprint("things", __name__)
@bp.get("/")
@inject
def view(name: Annotated[str, Provide["name"]]) -> str: return name
"""


def container_of(name: str) -> containers.Container:
    container: containers.Container = containers.DynamicContainer()
    container.set_providers(name=providers.Object(name))
    return container


def app_of(module: ModuleType) -> Flask:
    app = Flask("things", static_folder=None)
    app.register_blueprint(module.bp)
    return app


def assert_nothing_is_injected(module: ModuleType) -> None:
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'name'"):
        module.view()


def test_a_second_live_container_is_refused_and_the_first_serves_on(module_of: ModuleOf) -> None:
    module = module_of(SOURCE)
    app = app_of(module)
    first = container_of("first")
    wire(first, app)
    with pytest.raises(WiringError, match=rf"Another container is wired to {module.__name__}: call unwire\(\)"):
        wire(container_of("second"), app)
    assert app.test_client().get("/").text == "first"


def test_a_second_container_is_accepted_after_the_first_is_unwired(module_of: ModuleOf) -> None:
    module = module_of(SOURCE)
    app = app_of(module)
    first, second = container_of("first"), container_of("second")
    wire(first, app)
    unwire(first)
    wire(second, app)
    assert app.test_client().get("/").text == "second"


def test_a_second_container_is_accepted_after_the_first_is_gone(module_of: ModuleOf) -> None:
    module = module_of(SOURCE)
    app = app_of(module)
    first = container_of("first")
    wire(first, app)
    unwire(first)
    del first
    gc.collect()
    wire(container_of("second"), app)


def test_hooks_find_the_container_that_the_application_is_wired_to(module_of: ModuleOf) -> None:
    module = module_of(SOURCE)
    app = app_of(module)
    names: list[str] = []
    app.before_request(lambda: names.append(current_container().name()))
    wire(container_of("wired"), app)
    app.test_client().get("/")
    with app.app_context():
        assert names == [current_container().name()] == ["wired"]


def test_the_same_container_may_be_wired_again(module_of: ModuleOf) -> None:
    module = module_of(SOURCE)
    app = app_of(module)
    container = container_of("same")
    for _ in range(2):
        wire(container, app)
    assert app.test_client().get("/").text == "same"


def test_unwiring_a_container_that_is_not_wired_leaves_the_one_that_is(module_of: ModuleOf) -> None:
    module = module_of(SOURCE)
    app = app_of(module)
    first = container_of("first")
    wire(first, app)
    unwire(container_of("second"))
    with pytest.raises(WiringError, match="Another container"):
        wire(container_of("second"), app)
    assert app.test_client().get("/").text == "first"


def test_a_misspelt_marker_outside_of_views_leaves_nothing_wired(module_of: ModuleOf) -> None:
    helper = '\n@inject\ndef zz_helper(other: Annotated[str, Provide["nmae"]]) -> None: ...\n'
    module = module_of(SOURCE + helper)
    container = container_of("name")
    with pytest.raises(WiringError, match="Unresolved marker other in zz_helper: the container has no such provider"):
        wire(container, app_of(module))
    assert_nothing_is_injected(module)
    assert not hasattr(module, "__wired_by__")


def test_create_app_refuses_a_second_container_until_the_first_is_unwired(container: Container, app: Flask) -> None:
    other = Container()
    with override(other, settings=container.settings()):
        with pytest.raises(WiringError, match=r"Another container is wired to app\.accounts\."):
            create_app(other)
        unwire(container)
        create_app(other)
        unwire(other)


async def test_an_application_that_failed_to_start_hinders_no_other(container: Container) -> None:
    with (
        container.user_service.override(providers.Object(5)),
        pytest.raises(WiringError, match="wants UserService, and is given int"),
    ):
        create_app(container)
    create_app(container)
    unwire(container)
