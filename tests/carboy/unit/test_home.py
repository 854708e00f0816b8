"""What stands at `/`."""

import re

import httpx
import pytest

from carboy.config.settings import Settings


async def test_a_program_is_told_where_things_are(client: httpx.AsyncClient) -> None:
    answer = await client.get("/")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
    links = answer.json()["links"]
    assert links == {"docs": "/api/docs", "openapi": "/api/openapi.json", "health": "/health/ready"}
    assert [(await client.get(link)).status_code for link in links.values()] == [200, 200, 200]
    assert "Accept" in answer.headers["Vary"]


async def test_a_browser_is_shown_a_page_that_leads_on_and_loads_nothing_from_elsewhere(
    client: httpx.AsyncClient,
) -> None:
    page = await client.get("/", headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert (page.status_code, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    _, main = page.text.split("<main")
    assert re.findall(r'href="([^"]+)"', main) == ["/login", "/api/docs", "/api/openapi.json", "/health/ready"]
    assert "://" not in page.text
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'self';")


class TestWithoutDocumentation:
    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return settings.model_copy(update={"http": settings.http.model_copy(update={"docs": False})})

    @pytest.mark.parametrize("accept", ["application/json", "text/html"])
    async def test_none_is_linked(self, client: httpx.AsyncClient, accept: str) -> None:
        answer = await client.get("/", headers={"Accept": accept})
        assert re.findall(r'"/(?!static/|login)[a-z/.]+"', answer.text) == ['"/health/ready"']
