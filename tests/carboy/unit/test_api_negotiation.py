"""What a client takes and sends is asked for by its headers."""

import httpx
import pytest
from support.users import registration

LIST, ONE = "/api/users", "/api/users/1"


@pytest.mark.parametrize(
    "accept",
    [
        None,
        "*/*",
        "application/json",
        "application/*",
        "APPLICATION/JSON",
        "text/html, application/json;q=0.1",
        "application/json; charset=utf-8",
        "text/html,*/*;q=0.01",
        "application/json, application/problem+json",
        "application/json;q=0, application/json; charset=utf-8",
        "text/*;q=0, */*;q=0.1",
        "",
    ],
)
async def test_a_client_that_takes_json_is_answered(client: httpx.AsyncClient, accept: str | None) -> None:
    del client.headers["Accept"]
    headers = {} if accept is None else {"Accept": accept}
    assert (await client.get(LIST, headers=headers)).status_code == 200


@pytest.mark.parametrize(
    "accept",
    [
        "text/html",
        "application/xml, text/*",
        "application/json;q=0",
        "nonsense",
        "*/*;q=0",
        "application/json;q=0, */*",
        "application/*;q=0, */*",
        "application/json; charset=utf-8;q=0",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "PATCH"])
async def test_a_client_that_does_not_accept_json_gets_406_before_any_work(
    client: httpx.AsyncClient, accept: str, method: str
) -> None:
    await client.post(LIST, json=registration("ada"))
    path = ONE if method == "PATCH" else LIST
    body = None if method == "GET" else registration("bob")
    answer = await client.request(method, path, json=body, headers={"Accept": accept})
    assert (answer.status_code, answer.json()["code"]) == (406, "not_acceptable")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert [user["username"] for user in (await client.get(LIST)).json()["items"]] == ["ada"]


async def test_an_answer_without_a_body_is_acceptable_to_anyone(client: httpx.AsyncClient) -> None:
    await client.post(LIST, json=registration("ada"))
    assert (await client.delete(ONE, headers={"Accept": "text/html"})).status_code == 204


@pytest.mark.parametrize("media_type", [None, "", "text/plain", "application/x-www-form-urlencoded", "application/xml"])
@pytest.mark.parametrize(("method", "path"), [("POST", LIST), ("PATCH", ONE)])
async def test_a_body_of_another_type_is_refused(
    client: httpx.AsyncClient, media_type: str | None, method: str, path: str
) -> None:
    headers = {} if media_type is None else {"Content-Type": media_type}
    answer = await client.request(method, path, content=b"{}", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")
