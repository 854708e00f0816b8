"""`flask container graph` shows every provider and blueprint, and what needs what."""

import re
from typing import Annotated, Any

import pytest
from dependency_injector import containers, providers
from dependency_injector.wiring import Provide, inject
from flask import Blueprint, Flask

from carboy.di.graph import draw_graph
from containers import Container

NODE = r'[\w.-]+(\["[^"\n]+"\]|\(\["[^"\n]+"\]\))'
ARROW = r"[\w.-]+ --> [\w.-]+"


class Engine: ...


class Store:
    def __init__(self, *engines: object, **named: object) -> None: ...


def arrows(graph: str) -> set[tuple[str, str]]:
    return {(line.split()[0], line.split()[2]) for line in graph.splitlines() if " --> " in line}


def nodes(graph: str) -> list[str]:
    return [re.split(r"[\[(]", line.strip())[0] for line in graph.splitlines()[1:] if " --> " not in line]


def draw(**graph: providers.Provider[Any]) -> str:
    container = containers.DynamicContainer()
    container.set_providers(**graph)
    return draw_graph(container, Flask("things", static_folder=None))


def test_the_projects_graph_shows_every_provider_and_blueprint(app: Flask, container: Container) -> None:
    graph = draw_graph(Container(), app)
    wanted = [f"routes_{name}" for name in app.blueprints]
    wanted += [f"provider_{name}" for name in container.providers if name != "__self__"]
    assert nodes(graph) == wanted
    assert arrows(graph) >= {
        ("routes_health", "provider_health_service"),
        ("routes_users", "provider_user_service"),
        # A view that creates keeps idempotency keys.
        ("routes_users", "provider_idempotency_service"),
        ("provider_health_service", "provider_database"),
        ("provider_user_service", "provider_database"),
        ("provider_user_service", "provider_user_dao"),
        ("provider_user_service", "provider_cursors"),
        ("provider_user_dao", "provider_database"),
        ("provider_cursors", "provider_settings"),
        ("provider_database", "provider_engines"),
        ("provider_database", "provider_session_factory"),
        ("provider_engines", "provider_settings"),
    }


def test_the_graph_is_made_of_nodes_and_arrows_between_them(app: Flask) -> None:
    headline, *lines = draw_graph(Container(), app).splitlines()
    assert headline == "flowchart LR"
    assert [line for line in lines if not re.fullmatch(rf"    ({NODE}|{ARROW})", line)] == []


def test_the_graph_is_the_same_each_time(app: Flask) -> None:
    assert draw_graph(Container(), app) == draw_graph(Container(), app)


def test_the_command_prints_the_graph(app: Flask, container: Container) -> None:
    result = app.test_cli_runner().invoke(args=["container", "graph"])
    assert result.exit_code == 0
    assert result.output == draw_graph(container, app)
    assert "<small>MemoryDatabase</small>" in result.output, "What overrides a provider is what is drawn."


def test_an_arrow_is_drawn_however_the_argument_is_passed() -> None:
    engine = providers.Singleton(Engine)
    graph = draw(
        engine=engine,
        direct=providers.Factory(Store, engine),
        in_dict=providers.Singleton(Store, by_name=providers.Dict({"a b": providers.List(engine)})),
        attribute=providers.Singleton(Store, engine.provided.x.y["z"].call()),
        maker=providers.Singleton(Store, make=engine.provider),
        called=providers.Callable(Store, engine),
        unnamed=providers.Singleton(Store, providers.Singleton(Store, engine)),
    )
    wanted = ["direct", "in_dict", "attribute", "maker", "called", "unnamed"]
    assert arrows(graph) == {(f"provider_{name}", "provider_engine") for name in wanted}


def test_both_names_of_one_provider_are_drawn() -> None:
    engine = providers.Singleton(Engine)
    graph = draw(engine=engine, alias=engine, store=providers.Singleton(Store, engine))
    assert nodes(graph) == ["provider_engine", "provider_alias", "provider_store"]
    assert arrows(graph) == {("provider_store", "provider_engine")}


@pytest.mark.parametrize("name", ["end", "graph", "style", "class_"])
def test_a_name_that_mermaid_reserves_stands_for_no_node(name: str) -> None:
    assert nodes(draw(**{name: providers.Singleton(Engine)})) == [f"provider_{name}"]


def test_one_provider_is_drawn_with_what_it_needs_and_what_needs_it(app: Flask, container: Container) -> None:
    graph = draw_graph(Container(), app, "audit_service")
    below = ["settings", "engines", "session_factory", "database", "cursors", "audit_event_dao"]
    assert set(nodes(graph)) == {
        "routes_audit",
        "routes_account_events",
        "provider_audit_service",
        *(f"provider_{name}" for name in below),
    }
    assert ("provider_audit_service", "provider_audit_event_dao") in arrows(graph)
    assert nodes(draw_graph(Container(), app, "settings"))[:2] == ["routes_health", "routes_users"]


@pytest.mark.parametrize(
    ("domain", "drawn", "others"),
    [
        (
            "users",
            {"routes_users", "provider_user_service", "provider_cursors"},
            {"health_service"},
        ),
        ("health", {"routes_health", "provider_health_service"}, {"user_service", "cursors"}),
    ],
)
def test_one_domain_is_drawn(app: Flask, container: Container, domain: str, drawn: set[str], others: set[str]) -> None:
    graph = draw_graph(Container(), app, domain)
    assert set(nodes(graph)) >= drawn
    assert {f"provider_{name}" for name in others}.isdisjoint(nodes(graph))
    assert {node for arrow in arrows(graph) for node in arrow} <= set(nodes(graph))


def test_the_command_draws_one_domain_or_says_that_there_is_none(app: Flask, container: Container) -> None:
    result = app.test_cli_runner().invoke(args=["container", "graph", "users"])
    assert result.output == draw_graph(container, app, "users")
    result = app.test_cli_runner().invoke(args=["container", "graph", "user_doa"])
    assert result.exit_code == 1
    assert result.output == "Error: There is no provider, sub-container, blueprint or domain 'user_doa'.\n"


def test_names_that_html_or_mermaid_would_misread_are_escaped() -> None:
    graph = draw(made=providers.Singleton(lambda: Engine()), text=providers.Object('"quoted" <b>'))  # noqa: PLW0108 - a name.
    assert "<small>&lt;lambda&gt;</small>" in graph
    assert "quoted" not in graph


def test_blueprints_without_needs_and_nested_ones_are_drawn() -> None:
    app = Flask("things", static_folder=None)
    outer, inner = Blueprint("outer", __name__, static_folder="nowhere"), Blueprint("in-ner", __name__)

    @inner.get("/x")
    @inject
    async def view(engine: Annotated[Engine, Provide["engine.provided.x"]]) -> str:
        return str(engine)

    outer.register_blueprint(inner)
    app.register_blueprint(outer)
    app.add_url_rule("/", "bare", lambda: "")
    container = containers.DynamicContainer()
    container.set_providers(engine=providers.Singleton(Engine))
    graph = draw_graph(container, app)
    assert nodes(graph) == ["routes_outer", "routes_outer.in-ner", "provider_engine"]
    assert arrows(graph) == {("routes_outer.in-ner", "provider_engine")}
