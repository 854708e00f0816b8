"""A large domain has a container of its own: checks, views, overrides and the drawing go through it."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from dependency_injector import containers, providers
from flask import Flask

from app.users.daos import UserDao
from carboy.di.checks import check_providers
from carboy.di.graph import draw_graph
from carboy.di.wiring import WiringError, unwire, wire
from carboy.testing import MemoryDatabase, override


class Database:
    label = "real"


class InvoiceDao:
    def __init__(self, database: Database) -> None:
        self.database = database


class InvoiceService:
    def __init__(self, invoices: InvoiceDao, currency: str = "EUR") -> None:
        self.invoices = invoices
        self.currency = currency


class Reports:
    def __init__(self, invoices: InvoiceService) -> None:
        self.invoices = invoices


class Rates(containers.DeclarativeContainer):
    shared: Any = providers.DependenciesContainer()
    rate_dao = providers.Singleton(InvoiceDao, database=shared.database)


class Billing(containers.DeclarativeContainer):
    database = providers.Dependency(instance_of=Database)
    shared: Any = providers.DependenciesContainer()
    currency: Any = providers.Dependency(instance_of=str, default="EUR")
    invoice_dao = providers.Singleton(InvoiceDao, database=database)
    invoice_service = providers.Singleton(InvoiceService, invoices=invoice_dao, currency=currency)
    rates: Any = providers.Container(Rates, shared=shared)


class Shared(containers.DeclarativeContainer):
    database = providers.Singleton(Database)


class Container(containers.DeclarativeContainer):
    database = providers.Singleton(Database)
    shared: Any = providers.Container(Shared)
    billing: Any = providers.Container(Billing, database=database, shared=shared)
    reports = providers.Singleton(Reports, invoices=billing.invoice_service)


SOURCE = """
from typing import Annotated
from dependency_injector.wiring import Provide, inject
from flask import Blueprint
bp = Blueprint("invoices", __name__)
@bp.get("/")
@inject
def view(service: Annotated[{wanted}, Provide["{path}"]]) -> str: return str(service)
"""
Serve = Callable[..., Flask]


@pytest.fixture
def serve(module_of: Callable[[str], ModuleType]) -> Serve:
    """Make an application with one view, which asks for one provider."""

    def serve(path: str, wanted: str = "object") -> Flask:
        app = Flask("invoices", static_folder=None)
        app.register_blueprint(module_of(SOURCE.format(path=path, wanted=wanted)).bp)
        return app

    return serve


def problems_of(**graph: Any) -> list[str]:
    return list(check_providers(type("Graph", (containers.DeclarativeContainer,), graph)()))


def test_a_container_with_sub_containers_is_right() -> None:
    assert list(check_providers(Container())) == []


def test_a_wrong_argument_in_a_sub_container_is_named_by_its_path() -> None:
    class Wrong(containers.DeclarativeContainer):
        invoice_service = providers.Singleton(InvoiceService, invoices=5, nmae=1)

    class Outer(containers.DeclarativeContainer):
        wrong = providers.Container(Wrong)

    problems = [
        "invoice_service: argument invoices wants InvoiceDao, and is given int",
        "invoice_service: argument nmae is unknown",
    ]
    assert problems_of(billing=providers.Container(Wrong)) == [f"provider billing.{line}" for line in problems]
    assert problems_of(outer=providers.Container(Outer)) == [f"provider outer.wrong.{line}" for line in problems]


def test_a_short_lived_dependency_that_is_passed_in_is_a_captive() -> None:
    database = providers.Factory(Database)
    shared = providers.Container(Shared)
    assert problems_of(
        database=database, shared=shared, billing=providers.Container(Billing, database=database, shared=shared)
    ) == [
        (
            "provider billing.invoice_dao: argument database is a Factory, whose object this singleton would keep for"
            " ever; pass its .provider instead"
        )
    ]


def test_a_dependency_that_is_not_passed_in_is_an_error() -> None:
    said = "its sub-container needs it from outside, and is not given it"
    assert problems_of(billing=providers.Container(Billing, shared=providers.Container(Shared))) == [
        f"provider billing.database: {said}"
    ]
    assert problems_of(billing=providers.Container(Billing, database=providers.Singleton(Database))) == [
        f"provider billing.rates.shared.database: {said}"
    ]


def test_a_dependency_of_another_type_is_an_error_for_it_and_for_its_users() -> None:
    wrong = providers.Singleton(Reports, invoices=None)
    shared = providers.Container(Shared)
    problems = problems_of(reports=wrong, billing=providers.Container(Billing, database=wrong, shared=shared))
    assert problems[1:] == [
        "provider billing.database wants Database, and is given Reports",
        "provider billing.invoice_dao: argument database wants Database, and is given Reports",
    ]


def test_a_passed_provider_is_checked_once() -> None:
    broken = providers.Singleton(Database, 1)
    shared = providers.Container(Shared)
    named = problems_of(database=broken, billing=providers.Container(Billing, database=broken, shared=shared))
    assert named == ["provider database: argument 1 is one too many"]
    unnamed = problems_of(billing=providers.Container(Billing, database=broken, shared=shared))
    assert unnamed == ["provider billing.database: argument 1 is one too many"]


@pytest.mark.parametrize(
    "path",
    ["billing.invoice_service", "billing.rates.rate_dao", "billing.database", "billing.invoice_dao.provided.database"],
)
def test_a_view_names_a_provider_of_a_sub_container_by_its_path(serve: Serve, path: str) -> None:
    container, app = Container(), serve(path)
    wire(container, app)
    assert app.test_client().get("/").text.startswith(f"<{__name__}.")
    unwire(container)


@pytest.mark.parametrize(
    ("path", "wanted", "said"),
    [
        ("billing.invoice_servce", "object", "the container has no provider 'billing.invoice_servce'"),
        ("biling.invoice_service", "object", "the container has no provider 'biling.invoice_service'"),
        ("billing.shared.databse", "object", "the container has no provider 'billing.shared.databse'"),
        ("billing", "object", "the container has no provider 'billing'"),
        ("billing.invoice_service", "str", "wants str, and is given InvoiceService"),
        ("billing.database", "str", "wants str, and is given Database"),
        ("billing.invoice_service.provided.curency", "str", "InvoiceService has no attribute 'curency'"),
    ],
)
def test_a_view_with_a_wrong_marker_for_a_sub_container_is_an_error(
    serve: Serve, path: str, wanted: str, said: str
) -> None:
    with pytest.raises(WiringError, match=said):
        wire(Container(), serve(path, wanted))


def test_an_override_reaches_into_a_sub_container_and_rebuilds_its_dependents() -> None:
    container = Container()
    kept = container.reports().invoices.invoices
    fake = InvoiceDao(Database())
    with override(container, **{"billing.invoice_dao": fake}):
        assert container.billing.invoice_service().invoices is fake
        assert container.reports().invoices.invoices is fake
    assert container.reports().invoices.invoices is kept
    assert container.billing.invoice_service().invoices is kept


def test_an_override_outside_is_seen_within() -> None:
    container, fake = Container(), Database()
    assert container.billing.invoice_dao().database is container.database()
    with override(container, database=fake, **{"shared.database": fake}):
        assert container.reports().invoices.invoices.database is fake
        assert container.billing.rates.rate_dao().database is fake
    assert container.reports().invoices.invoices.database is container.database()
    assert container.billing.rates.rate_dao().database is container.shared.database()


def test_a_view_gets_what_overrides_a_provider_of_a_sub_container(serve: Serve) -> None:
    container, app = Container(), serve("billing.invoice_service.provided.invoices.database.label")
    wire(container, app)
    assert app.test_client().get("/").text == "real"
    fake = Database()
    fake.label = "fake"
    with override(container, **{"billing.invoice_dao": InvoiceDao(fake)}):
        assert app.test_client().get("/").text == "fake"
    assert app.test_client().get("/").text == "real"
    unwire(container)


@pytest.mark.parametrize("name", ["billing.invoice_doa", "billing", "biling.invoice_dao"])
def test_an_unknown_path_is_an_error(name: str) -> None:
    with (
        pytest.raises(AttributeError, match=f"The container has no provider {name}"),
        override(Container(), **{name: 1}),
    ):
        pytest.fail("The block ran.")


async def test_a_database_in_memory_serves_the_daos_of_sub_containers(database: MemoryDatabase) -> None:
    class People(containers.DeclarativeContainer):
        database: Any = providers.Dependency()
        user_dao = providers.Singleton(UserDao, database=database)

    container: Any = containers.DynamicContainer()
    real = providers.Singleton(Database)
    container.set_providers(database=real, people=providers.Container(People, database=real))
    with override(container, database=database):
        assert await database.read(container.people.user_dao().count) == 0


def test_a_sub_container_is_drawn_as_a_box(serve: Serve) -> None:
    graph = draw_graph(Container(), serve("billing.invoice_service.provided.currency"))
    assert graph.splitlines() == [
        "flowchart LR",
        '    routes_invoices(["invoices<br/><small>routes</small>"])',
        '    provider_database["database<br/><small>Database</small>"]',
        '    provider_reports["reports<br/><small>Reports</small>"]',
        '    subgraph container_shared["shared"]',
        '        provider_shared.database["database<br/><small>Database</small>"]',
        "    end",
        '    subgraph container_billing["billing"]',
        '        provider_billing.invoice_dao["invoice_dao<br/><small>InvoiceDao</small>"]',
        '        provider_billing.invoice_service["invoice_service<br/><small>InvoiceService</small>"]',
        '        subgraph container_billing.rates["rates"]',
        '            provider_billing.rates.rate_dao["rate_dao<br/><small>InvoiceDao</small>"]',
        "        end",
        "    end",
        "    routes_invoices --> provider_billing.invoice_service",
        "    provider_billing.invoice_dao --> provider_database",
        "    provider_billing.invoice_service --> provider_billing.invoice_dao",
        "    provider_billing.rates.rate_dao --> provider_shared.database",
        "    provider_reports --> provider_billing.invoice_service",
    ]


def test_one_sub_container_is_drawn_with_what_it_needs_and_what_needs_it(serve: Serve) -> None:
    graph = draw_graph(Container(), serve("billing.invoice_service"), "billing.rates")
    assert graph.splitlines() == [
        "flowchart LR",
        '    subgraph container_shared["shared"]',
        '        provider_shared.database["database<br/><small>Database</small>"]',
        "    end",
        '    subgraph container_billing["billing"]',
        '        subgraph container_billing.rates["rates"]',
        '            provider_billing.rates.rate_dao["rate_dao<br/><small>InvoiceDao</small>"]',
        "        end",
        "    end",
        "    provider_billing.rates.rate_dao --> provider_shared.database",
    ]
    assert "routes_invoices --> provider_billing.invoice_service" in draw_graph(
        Container(), serve("billing.invoice_service"), "billing"
    )
