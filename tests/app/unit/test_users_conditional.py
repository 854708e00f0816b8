"""An update that says which version it was made from."""

import httpx
import pytest
from support.users import registration


async def test_every_answer_with_a_user_carries_its_version_as_etag(client: httpx.AsyncClient) -> None:
    created = await client.post("/api/users", json=registration("ada"))
    changed = await client.patch("/api/users/1", json={"active": False})
    read = await client.get("/api/users/1")
    assert [answer.headers["ETag"] for answer in (created, changed, read)] == ['"1"', '"2"', '"2"']


@pytest.mark.parametrize("method", ["PATCH", "POST"])
@pytest.mark.parametrize("header", ['"1"', "*", '"1" ', '"1", "2"', '"7","1"', 'W/"2", "1"', '"1:gzip"', '"x", "1"'])
async def test_an_update_from_the_current_version_is_made(client: httpx.AsyncClient, method: str, header: str) -> None:
    await client.post("/api/users", json=registration("ada"))
    answer = await client.request(method, "/api/users/1", json={"active": False}, headers={"If-Match": header})
    assert (answer.status_code, answer.json()["version"]) == (200, 2)


@pytest.mark.parametrize("change", [{"active": False}, {}])
@pytest.mark.parametrize(
    "header",
    [
        '"2"',
        '"0"',
        "1",
        'W/"1"',
        '""',
        '"3", "2"',
        "nonsense",
        '"1" "1"',
        '"1"x',
        ",",
        '"1,2"',
        '"99999999999999999999"',
    ],
)
async def test_an_update_from_another_version_is_refused(
    client: httpx.AsyncClient, header: str, change: dict[str, bool]
) -> None:
    await client.post("/api/users", json=registration("ada"))
    answer = await client.patch("/api/users/1", json=change, headers={"If-Match": header})
    assert (answer.status_code, answer.json()["code"]) == (412, "stale_version")
    assert (await client.get("/api/users/1")).json()["version"] == 1


async def test_a_missing_user_is_not_found_whatever_version_is_asked_for(client: httpx.AsyncClient) -> None:
    answer = await client.patch("/api/users/1", json={"active": False}, headers={"If-Match": '"1"'})
    assert answer.status_code == 404


@pytest.mark.parametrize("tags", ['"1",,"9"', ',"1"', '"9" , , "1",', ', "1"'])
async def test_empty_elements_of_a_list_of_tags_are_overlooked(client: httpx.AsyncClient, tags: str) -> None:
    created = await client.post("/api/users", json=registration("ada"))
    location = created.headers["Location"]
    assert (await client.get(location, headers={"If-None-Match": tags})).status_code == 304
    assert (await client.patch(location, json={"full_name": "Ada"}, headers={"If-Match": tags})).status_code == 200
