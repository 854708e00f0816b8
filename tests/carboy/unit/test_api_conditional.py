"""A client is spared what it has already, and kept from overwriting what it has not seen."""

import httpx
import pytest
from dependency_injector import providers
from support.users import registration

from carboy.config.settings import Settings
from containers import Container


async def test_a_client_with_the_current_version_gets_304(client: httpx.AsyncClient) -> None:
    await client.post("/api/users", json=registration("ada"))
    for path in ("/api/users/1", "/api/users"):
        first = await client.get(path)
        again = await client.get(path, headers={"If-None-Match": first.headers["ETag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["ETag"] == first.headers["ETag"]
        assert "Content-Type" not in again.headers
        await client.patch("/api/users/1", json={"full_name": f"Now at {path}"})
        changed = await client.get(path, headers={"If-None-Match": first.headers["ETag"]})
        assert changed.status_code == 200
        assert changed.headers["ETag"] != first.headers["ETag"]


@pytest.mark.parametrize("tags", ['"1"', 'W/"1"', '"0", "1"', "*", ' "9" ,W/"1"', '"1:gzip"', '"1:br"'])
async def test_any_of_several_tags_may_match_be_it_weak(client: httpx.AsyncClient, tags: str) -> None:
    await client.post("/api/users", json=registration("ada"))
    for method in ("GET", "HEAD"):
        answer = await client.request(method, "/api/users/1", headers={"If-None-Match": tags})
        assert answer.status_code == 304


async def test_a_client_is_told_the_tag_of_what_it_has(client: httpx.AsyncClient) -> None:
    for number in range(20):
        await client.post("/api/users", json=registration(f"user{number}"))
    first = await client.get("/api/users", headers={"Accept-Encoding": "gzip"})
    assert first.headers["ETag"].endswith(':gzip"')
    again = await client.get(
        "/api/users", headers={"Accept-Encoding": "gzip", "If-None-Match": f'"x", {first.headers["ETag"]}'}
    )
    assert (again.status_code, again.headers["ETag"]) == (304, first.headers["ETag"])
    assert again.headers["Vary"] == first.headers["Vary"]


@pytest.mark.parametrize("tags", ['"2"', "1", "", '"1', '""', '"1" "1"', '"2","3"'])
async def test_a_tag_that_does_not_match_brings_the_whole_answer(client: httpx.AsyncClient, tags: str) -> None:
    await client.post("/api/users", json=registration("ada"))
    assert (await client.get("/api/users/1", headers={"If-None-Match": tags})).status_code == 200


async def test_the_tag_of_a_list_tells_its_pages_apart(client: httpx.AsyncClient) -> None:
    for name in ("ada", "bob"):
        await client.post("/api/users", json=registration(name))
    whole, page = await client.get("/api/users"), await client.get("/api/users?limit=1")
    assert whole.headers["ETag"] != page.headers["ETag"]


@pytest.mark.parametrize("tag", ['"2"', "1", 'W/"1"', '"x"'])
async def test_a_delete_of_another_version_is_refused(client: httpx.AsyncClient, tag: str) -> None:
    await client.post("/api/users", json=registration("ada"))
    answer = await client.delete("/api/users/1", headers={"If-Match": tag})
    assert (answer.status_code, answer.json()["code"]) == (412, "stale_version")
    assert (await client.get("/api/users/1")).status_code == 200


@pytest.mark.parametrize("tag", ['"1"', '"7", "1"', "*"])
async def test_a_delete_of_the_current_version_is_made(client: httpx.AsyncClient, tag: str) -> None:
    await client.post("/api/users", json=registration("ada"))
    assert (await client.delete("/api/users/1", headers={"If-Match": tag})).status_code == 204
    assert (await client.delete("/api/users/1", headers={"If-Match": tag})).status_code == 404


@pytest.mark.own_app
class TestWhereIfMatchIsRequired:
    @pytest.fixture
    def container(self, container: Container, settings: Settings) -> Container:
        strict = settings.model_copy(update={"http": settings.http.model_copy(update={"require_if_match": True})})
        container.settings.override(providers.Object(strict))
        return container

    @pytest.mark.parametrize("method", ["PATCH", "POST", "DELETE"])
    async def test_a_change_without_it_is_refused(self, client: httpx.AsyncClient, method: str) -> None:
        await client.post("/api/users", json=registration("ada"))
        body = None if method == "DELETE" else {"active": False}
        answer = await client.request(method, "/api/users/1", json=body)
        assert (answer.status_code, answer.json()["code"]) == (428, "precondition_required")
        answer = await client.request(method, "/api/users/1", json=body, headers={"If-Match": '"1"'})
        assert answer.status_code in {200, 204}
