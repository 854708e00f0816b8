"""A POST with an Idempotency-Key may be sent again."""

import asyncio

import httpx
import pytest
from support.users import registration

KEY = "8e03978e-40d5-43e8-bc93-6894a57f9324"


async def create(client: httpx.AsyncClient, name: str = "ada", key: str = KEY, **changes: object) -> httpx.Response:
    return await client.post("/api/users", json=registration(name, **changes), headers={"Idempotency-Key": key})


async def names(client: httpx.AsyncClient) -> list[str]:
    return [user["username"] for user in (await client.get("/api/users")).json()["items"]]


async def test_the_same_request_gets_the_same_answer_again(client: httpx.AsyncClient) -> None:
    first = await create(client)
    await client.patch("/api/users/1", json={"full_name": "Changed since"})
    again = await create(client)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    for header in ("Location", "ETag", "Content-Type"):
        assert again.headers[header] == first.headers[header]
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.headers["X-Request-ID"] != first.headers["X-Request-ID"]
    assert await names(client) == ["ada"]


async def test_a_request_is_the_same_however_its_json_is_spelt(client: httpx.AsyncClient) -> None:
    await create(client, key='"quoted"')
    body = b'{ "email": "ada@example.org",\n "username": "\\u0061da" }'
    headers = {"Idempotency-Key": "quoted", "Content-Type": "application/json; charset=utf-8"}
    answer = await client.post("/api/users", content=body, headers=headers)
    assert (answer.status_code, answer.headers["Idempotency-Replayed"]) == (201, "true")


async def test_another_request_with_the_same_key_is_refused(client: httpx.AsyncClient) -> None:
    await create(client)
    for answer in (await create(client, "bob"), await create(client, active=True)):
        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
    assert await names(client) == ["ada"]


async def test_a_request_that_failed_may_be_mended_and_sent_with_the_same_key(client: httpx.AsyncClient) -> None:
    await create(client, "ada", key="another")
    assert (await create(client, "ada")).json()["code"] in {"username_taken", "email_taken"}
    assert (await create(client, "with spaces")).json()["code"] == "invalid_input"
    answer = await create(client, "bob")
    assert (answer.status_code, answer.headers.get("Idempotency-Replayed")) == (201, None)


@pytest.mark.parametrize("key", ["", " ", '""', "a b", "a,b", "x" * 256, '"' + "x" * 256 + '"', "ä", '"open'])
async def test_a_malformed_key_is_refused_and_nothing_is_created(client: httpx.AsyncClient, key: str) -> None:
    headers = [(b"Idempotency-Key", key.encode("latin-1"))]
    answer = await client.post("/api/users", json=registration("ada"), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_idempotency_key")
    assert await names(client) == []


async def test_a_key_that_is_in_use_is_a_conflict(client: httpx.AsyncClient) -> None:
    answers = await asyncio.gather(*(create(client) for _ in range(10)))
    created = [answer for answer in answers if answer.status_code == 201]
    refused = [answer for answer in answers if answer.status_code == 409]
    assert len(created) + len(refused) == 10
    assert created
    assert {answer.json()["code"] for answer in refused} <= {"idempotency_key_in_use"}
    assert {answer.headers["Retry-After"] for answer in refused} <= {"1"}
    assert await names(client) == ["ada"]


async def test_a_key_means_nothing_to_a_request_that_creates_nothing(client: httpx.AsyncClient) -> None:
    await create(client)
    headers = {"Idempotency-Key": KEY}
    for active in (False, True):
        answer = await client.post("/api/users/1", json={"active": active}, headers=headers)
        assert (answer.status_code, answer.json()["active"]) == (200, active)
