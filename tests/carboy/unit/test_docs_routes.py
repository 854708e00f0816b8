"""The page of the API's document: what it is made of, how long that may be kept, and when it is not there."""

import asyncio
import re
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from flask import Flask

from carboy.api.openapi.document import describe
from carboy.config.settings import Settings
from carboy.docs import routes
from carboy.testing import override
from containers import Container


@pytest_asyncio.fixture
async def assets(client: httpx.AsyncClient) -> list[str]:
    """The addresses of all that the page loads."""
    page = await client.get("/api/docs")
    return re.findall(r'(?:src|href)="(/[^"]+)"', page.text)


async def test_the_page_may_load_from_its_own_server_alone(client: httpx.AsyncClient) -> None:
    page = await client.get("/api/docs")
    assert (page.status_code, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert "://" not in page.text
    policy = dict(part.split(" ", 1) for part in page.headers["Content-Security-Policy"].split("; "))
    assert policy == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' data:",
        "connect-src": "'self'",
        "frame-ancestors": "'none'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    assert page.headers["Cache-Control"] == "no-cache"


async def test_the_page_holds_no_script_or_style_of_its_own(client: httpx.AsyncClient) -> None:
    page = await client.get("/api/docs")
    assert re.findall(r"<script(?![^>]*\bsrc=)|<style|\bstyle=|\bon[a-z]+=", page.text) == []


async def test_all_that_the_page_names_is_there_and_may_be_kept_for_ever(
    client: httpx.AsyncClient, assets: list[str]
) -> None:
    assert len(assets) == 5
    for address in assets:
        asset = await client.get(address)
        assert (asset.status_code, len(asset.content) > 0) == (200, True), address
        assert set(asset.headers["Cache-Control"].split(", ")) == {"public", "max-age=31536000", "immutable"}
        assert asset.headers["X-Content-Type-Options"] == "nosniff"


async def test_an_asset_of_another_version_is_revalidated(client: httpx.AsyncClient) -> None:
    for address in ("/api/docs/docs.js", "/api/docs/docs.js?v=0123456789abcdef"):
        asset = await client.get(address)
        assert asset.headers["Cache-Control"] == "no-cache"
        again = await client.get(address, headers={"If-None-Match": asset.headers["ETag"]})
        assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    "name",
    [
        "index.html",
        "swagger-ui.js",
        "oauth2-redirect.html",
        "..%2Ftemplates%2Fdocs.html",
        "%2E%2E/templates/docs.html",
        "",
    ],
)
async def test_nothing_else_is_served(client: httpx.AsyncClient, name: str) -> None:
    answer = await client.get(f"/api/docs/{name}")
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, "application/problem+json")


def test_it_needs_no_asgi_server(app: Flask) -> None:
    client = app.test_client()
    names = ("", "/docs.js", "/missing.js")
    assert [client.get(f"/api/docs{name}", buffered=True).status_code for name in names] == [200, 200, 404]


@pytest.fixture
def closed(container: Container, settings: Settings) -> Iterator[None]:
    http = settings.http.model_copy(update={"docs": False})
    with override(container, settings=settings.model_copy(update={"http": http})):
        yield


@pytest.mark.own_app
@pytest.mark.usefixtures("closed")
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
async def test_where_it_is_closed_nothing_tells_that_it_exists(client: httpx.AsyncClient, method: str) -> None:
    for address in ("/api/docs", "/api/docs/docs.js", "/api/openapi.json"):
        answer = await client.request(method, address)
        assert answer.status_code == 404
        assert (
            answer.headers["Content-Security-Policy"]
            == (await client.get("/nothing")).headers["Content-Security-Policy"]
        )


async def test_the_document_is_served_and_not_sent_twice(client: httpx.AsyncClient, app: Flask) -> None:
    first = await client.get("/api/openapi.json")
    assert (first.status_code, first.headers["Content-Type"]) == (200, "application/json")
    assert first.json() == describe(app)
    again = await client.get("/api/openapi.json", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


async def test_the_document_says_where_a_proxy_has_put_the_api(client: httpx.AsyncClient) -> None:
    client._transport.root_path = "/behind here"  # type: ignore[attr-defined]  # noqa: SLF001 - httpx's own transport.
    document = (await client.get("/behind%20here/api/openapi.json")).json()
    assert document["servers"] == [{"url": "/behind%20here"}]
    client._transport.root_path = ""  # type: ignore[attr-defined]  # noqa: SLF001 - likewise.
    assert (await client.get("/api/openapi.json")).json()["servers"] == [{"url": "/"}]


@pytest.mark.own_app
async def test_others_are_answered_while_the_document_is_made(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on, makings = threading.Event(), []

    def wait_and_describe(app: Flask) -> dict[str, Any]:
        makings.append(threading.current_thread())
        assert goes_on.wait(10)
        return describe(app)

    monkeypatch.setattr(routes, "describe", wait_and_describe)
    async with asyncio.TaskGroup() as group:
        asked = [group.create_task(client.get("/api/openapi.json")) for _ in range(2)]
        while not makings:
            # It need not wait for anything, and the others have their turn only where something does.
            assert (await client.get("/health/live")).status_code == 200
            await asyncio.sleep(0)
        assert (await client.get("/api/docs/none")).status_code == 404
        goes_on.set()
    assert [task.result().status_code for task in asked] == [200, 200]
    assert len(makings) == 1
