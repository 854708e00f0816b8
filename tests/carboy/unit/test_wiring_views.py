"""A view that would not get what its signature asks for is an error at start, which names it and the argument."""

from collections.abc import Callable, Iterator
from types import ModuleType

import pytest
from dependency_injector import containers, providers
from flask import Flask

from app import create_app
from carboy.di.wiring import WiringError, unwire, wire
from containers import Container

ModuleOf = Callable[[str], ModuleType]
ProblemOf = Callable[..., str]

PRELUDE = """
from typing import Annotated, Any
from dependency_injector.wiring import Provide, Provider, inject
from flask import Blueprint
from pathlib import Path
bp = Blueprint("things", __name__)
"""


class Things(containers.DeclarativeContainer):
    name = providers.Object("name")
    number = providers.Object(5)


@pytest.fixture
def things() -> containers.Container:
    return Things()


@pytest.fixture
def start(module_of: ModuleOf, things: containers.Container) -> Iterator[Callable[[str], Flask]]:
    """Serve the views of a source text by the container, and return the application."""

    def start(source: str) -> Flask:
        prelude = PRELUDE
        if "__future__" in source:
            prelude = "from __future__ import annotations\n" + prelude
            source = source.replace("from __future__ import annotations", "")
        module = module_of(prelude + source)
        app = Flask("things", static_folder=None)
        app.register_blueprint(module.bp)
        wire(things, app)
        return app

    yield start
    unwire(things)


@pytest.fixture
def problem_of(start: Callable[[str], Flask]) -> ProblemOf:
    def problem_of(source: str) -> str:
        with pytest.raises(WiringError) as raised:
            start(source)
        headline, *lines = str(raised.value).splitlines()
        assert headline == "The container is wrong:"
        assert len(lines) == 1
        _, _, problem = lines[0].partition("): ")
        assert lines[0].startswith("- view things.view (made_in_a_test_")
        return problem

    return problem_of


@pytest.mark.parametrize(
    "view",
    [
        "async def view(name: Annotated[str, Provide['name']]) -> str: return name",
        "async def view(name: str = Provide['name']) -> str: return name",
        "def view(name: Annotated[str, 'other', Provide['name']]) -> str: return name",
        "def view(name: Annotated[Any, Provider['name']]) -> str: return name()",
        "def view(*, name: Annotated[str | None, Provide['name']], more: int = 3) -> str: return name",
        "def view(name: Annotated['str', Provide['name']]) -> str: return name",
    ],
)
def test_a_view_that_names_its_provider_is_served(start: Callable[[str], Flask], view: str) -> None:
    app = start(f"@bp.get('/')\n@inject\n{view}")
    assert app.test_client().get("/").text == "name"


def test_a_view_gets_url_defaults_and_provided_arguments(start: Callable[[str], Flask]) -> None:
    app = start("""
@bp.get('/', defaults={'page': 1})
@bp.get('/<int:page>')
@inject
def view(page: int, name: Annotated[str, Provide['name']]) -> str: return f'{name} {page}'
""")
    assert [app.test_client().get(path).text for path in ("/", "/7")] == ["name 1", "name 7"]


def test_a_misspelt_marker_is_an_error(problem_of: ProblemOf) -> None:
    problem = problem_of("@bp.get('/')\n@inject\ndef view(name: Annotated[str, Provide['nmae']]): ...")
    assert problem == "argument name: the container has no provider 'nmae'"


def test_a_misspelt_marker_of_a_provider_is_an_error(problem_of: ProblemOf) -> None:
    problem = problem_of("@bp.get('/')\n@inject\ndef view(name: Any = Provider['nmae']): ...")
    assert problem == "argument name: the container has no provider 'nmae'"


def test_a_marker_that_names_no_provider_but_a_method_is_an_error(problem_of: ProblemOf) -> None:
    problem = problem_of("@bp.get('/')\n@inject\ndef view(name: Annotated[Any, Provide['wire']]): ...")
    assert problem == "argument name: the container has no provider 'wire'"


def test_inject_above_the_route_is_an_error(problem_of: ProblemOf) -> None:
    problem = problem_of("@inject\n@bp.get('/')\ndef view(name: Annotated[str, Provide['name']]): ...")
    assert problem == "argument name: @inject is missing, or stands above the route's decorator"


def test_no_inject_at_all_is_an_error(problem_of: ProblemOf) -> None:
    problem = problem_of("@bp.get('/')\ndef view(name: Annotated[str, Provide['name']]): ...")
    assert problem == "argument name: @inject is missing, or stands above the route's decorator"


def test_an_argument_that_nobody_gives_is_an_error(problem_of: ProblemOf) -> None:
    problem = problem_of("@bp.get('/')\n@inject\ndef view(other, name: Annotated[str, Provide['name']]): ...")
    assert problem == "argument other is given neither by the request nor by the container"


def test_an_argument_of_the_url_that_the_view_does_not_take_is_an_error(problem_of: ProblemOf) -> None:
    problem = problem_of("@bp.get('/<int:page>')\n@inject\ndef view(name: Annotated[str, Provide['name']]): ...")
    assert problem == "the URL's argument page is unknown"


# The library sees no marker either, and says so.
@pytest.mark.filterwarnings("ignore:@inject is not required here")
def test_hidden_annotations_are_an_error(problem_of: ProblemOf) -> None:
    problem = problem_of("""from __future__ import annotations
@bp.get('/')
@inject
def view(name: Annotated[str, Provide['name']]): ...
""")
    assert problem == "argument name: remove 'from __future__ import annotations', which hides markers"


@pytest.mark.parametrize(
    ("wanted", "provider", "said"),
    [
        ("str", "number", "wants str, and is given int"),
        ("Path", "name", "wants Path, and is given str"),
        ("int | None", "name", "wants int | None, and is given str"),
    ],
)
def test_a_provider_of_another_type_is_an_error(problem_of: ProblemOf, wanted: str, provider: str, said: str) -> None:
    problem = problem_of(f"@bp.get('/')\n@inject\ndef view(thing: Annotated[{wanted}, Provide['{provider}']]): ...")
    assert problem == f"argument thing {said}"


def test_a_misspelt_attribute_in_a_marker_is_an_error(problem_of: ProblemOf) -> None:
    problem = problem_of("@bp.get('/')\n@inject\ndef view(thing: Annotated[Any, Provide['name.provided.uper']]): ...")
    assert problem == "argument thing: str has no attribute 'uper'"


def test_an_overridden_provider_of_another_type_is_an_error(
    problem_of: ProblemOf, things: containers.Container
) -> None:
    with things.providers["name"].override(providers.Object(b"name")):
        problem = problem_of("@bp.get('/')\n@inject\ndef view(name: Annotated[str, Provide['name']]): ...")
    assert problem == "argument name wants str, and is given bytes"


CREATING = '''
from carboy.api import ApiBlueprint, Created
from carboy.schemas.base import Record
bp = ApiBlueprint("things", __name__, description="Things.")
@bp.post("/")
async def view() -> Created[Record]:
    """Create a thing."""
'''


def test_what_a_creating_view_asks_the_container_for_is_checked(
    problem_of: ProblemOf, things: containers.Container
) -> None:
    assert problem_of(CREATING) == "the container has no provider 'idempotency_service'"
    things.set_provider("idempotency_service", providers.Object(5))
    assert problem_of(CREATING) == "idempotency_service wants IdempotencyService, and is given int"


def test_a_view_with_two_rules_is_reported_once(problem_of: ProblemOf) -> None:
    assert problem_of("@bp.get('/a')\n@bp.get('/b')\n@inject\ndef view(name: Annotated[str, Provide['nmae']]): ...")


def test_several_problems_are_reported_at_once(start: Callable[[str], Flask]) -> None:
    with pytest.raises(WiringError) as raised:
        start("""
@bp.get('/one')
@inject
def one(name: Annotated[str, Provide['nmae']], other): ...
@bp.get('/two')
def two(name: Annotated[str, Provide['name']]): ...
""")
    assert [line.split()[2] for line in str(raised.value).splitlines()[1:]] == [
        "things.one",
        "things.one",
        "things.two",
    ]


def test_a_view_is_served_wherever_its_module_stands(module_of: ModuleOf, things: containers.Container) -> None:
    elsewhere = module_of(PRELUDE + "@inject\ndef view(name: Annotated[str, Provide['name']]) -> str: return name")
    app = Flask("things", static_folder=None)
    app.add_url_rule("/", view_func=elsewhere.view)
    wire(things, app)
    assert app.test_client().get("/").text == "name"
    unwire(things)


def test_the_projects_own_container_serves_its_own_views(app: Flask) -> None:
    assert {"users", "health"} <= set(app.blueprints)


def test_create_app_raises_before_anything_can_be_served(container: Container) -> None:
    with (
        container.user_service.override(providers.Object("no service")),
        pytest.raises(
            WiringError, match=r"view users\.list_users .*argument service wants UserService, and is given str"
        ),
    ):
        create_app(container)
