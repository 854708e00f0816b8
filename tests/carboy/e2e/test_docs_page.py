"""The page at /api/docs as a person meets it: in a real browser, under a real server."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Response, expect
from support.accounts import KEY
from support.browser import Watched, browser  # noqa: F401 - a fixture.
from support.carboy_server import HYPERCORN, PRODUCTION, CarboyServer, migrated_copy, serve
from support.users import registration

PAGE = "/api/docs"
DOCUMENT = "/api/openapi.json"
METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}


@pytest.fixture(scope="module")
def server(migrated_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CarboyServer]:
    environment = migrated_copy(migrated_database, tmp_path_factory.mktemp("server"))
    with serve(HYPERCORN, environment | PRODUCTION | {"CARBOY_HTTP__DOCS": "true"}) as server:
        yield server


@pytest.fixture
def page(browser: Browser, server: CarboyServer) -> Iterator[Page]:  # noqa: F811 - the fixture.
    """The page, open; at the end, the browser must have had nothing to say and nobody else to ask."""
    with closing(Watched(browser, server.url)) as window:
        yield window.open(PAGE)


def document_of(server: CarboyServer) -> dict[str, Any]:
    with server.client() as client:
        document: dict[str, Any] = client.get(DOCUMENT).json()
    return document


def test_all_operations_are_shown_and_each_group_opens(page: Page, server: CarboyServer) -> None:
    described = {
        (method.upper(), path)
        for path, operations in document_of(server)["paths"].items()
        for method in operations.keys() & METHODS
    }
    operations = page.locator(".opblock")
    expect(operations).to_have_count(len(described))
    methods = operations.locator(".opblock-summary-method").all_inner_texts()
    paths = operations.locator(".opblock-summary-path").evaluate_all("all => all.map(one => one.dataset.path)")
    assert set(zip(methods, paths, strict=True)) == described
    for group in page.locator(".opblock-tag-section").all():
        # The page takes seconds for each that is open.
        first = group.locator(".opblock-summary-control").first
        first.click()
        # An expectation would ask once a second only.
        group.locator(".responses-table").wait_for(state="visible")
        first.click()


def test_a_request_that_is_tried_out_shows_its_answer(page: Page, server: CarboyServer) -> None:
    with server.client() as client:
        client.post("/api/users", json=registration("ada"))
    page.get_by_role("button", name="Authorize").first.click()
    page.locator(".auth-container input").first.fill(KEY)
    page.locator(".auth-container button.authorize").first.click()
    page.locator(".auth-container button.btn-done").first.click()
    operation = page.locator(".opblock-get").filter(has=page.locator('[data-path="/api/users"]'))
    operation.locator(".opblock-summary-control").click()
    operation.get_by_role("button", name="Try it out").click()

    def is_the_answer(response: Response) -> bool:
        return response.url.startswith(f"{server.url}/api/users")

    with page.expect_response(is_the_answer) as answer:
        operation.get_by_role("button", name="Execute", exact=True).click()
    assert answer.value.status == 200
    shown = operation.locator(".live-responses-table .highlight-code code").first
    expect(shown).to_contain_text('"username": "ada"')
    assert json.loads(shown.inner_text()) == answer.value.json()


def test_the_page_says_which_api_and_version_it_is(page: Page, server: CarboyServer) -> None:
    expect(page).to_have_title("Carboy API")
    version = document_of(server)["info"]["version"]
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Carboy API {version}")


def test_production_keeps_it_closed_unless_told_otherwise(environment: dict[str, str]) -> None:
    with serve(HYPERCORN, environment | PRODUCTION) as server, server.client() as client:
        assert [client.get(address).status_code for address in (PAGE, DOCUMENT)] == [404, 404]
