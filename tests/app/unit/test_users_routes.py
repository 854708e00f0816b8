"""Each route of the users API and each of its answers."""

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from sqlalchemy import update
from support.users import registration

from app.users.models import User
from app.users.schemas import UserRead
from carboy.testing import MemoryDatabase, override
from containers import Container

ADA = registration("Ada", email="ada@example.org")


async def create(client: httpx.AsyncClient, **changes: Any) -> dict[str, Any]:
    answer = await client.post("/api/users", json=ADA | changes)
    assert answer.status_code == 201, answer.text
    user: dict[str, Any] = answer.json()
    return user


async def test_a_user_is_created_with_an_address(client: httpx.AsyncClient) -> None:
    answer = await client.post("/api/users", json=ADA)
    assert answer.status_code == 201
    assert answer.headers["Location"] == "/api/users/1"
    assert answer.headers["Content-Type"] == "application/json"
    user = answer.json()
    assert user.pop("created_at").endswith("Z")
    assert user.pop("updated_at").endswith("Z")
    assert user == ADA | {"id": 1, "full_name": None, "active": True, "version": 1}
    assert (await client.get("/api/users/1")).json() == answer.json()


async def test_a_full_second_has_six_decimals(client: httpx.AsyncClient, database: MemoryDatabase) -> None:
    await create(client)
    statement = update(User).values(created_at=datetime(2026, 11, 23, 12, tzinfo=UTC))
    await database.write(lambda: database.execute(statement, writes=True))
    user = (await client.get("/api/users/1")).json()
    [listed] = (await client.get("/api/users?fields=created_at")).json()["items"]
    assert user["created_at"] == listed["created_at"] == "2026-11-23T12:00:00.000000Z"


@pytest.mark.parametrize("media_type", ["application/json; charset=utf-8", "application/merge-patch+json"])
async def test_json_may_be_sent_under_any_of_its_names(client: httpx.AsyncClient, media_type: str) -> None:
    body = b'{"username": "Ada", "email": "ada@example.org"}'
    answer = await client.post("/api/users", content=body, headers={"Content-Type": media_type})
    assert answer.status_code == 201


@pytest.mark.parametrize("method", ["PATCH", "POST"])
async def test_a_change_names_what_it_changes(client: httpx.AsyncClient, method: str) -> None:
    before = await create(client, full_name="Ada Lovelace")
    answer = await client.request(method, "/api/users/1", json={"active": False})
    assert answer.status_code == 200
    after = answer.json()
    assert after == before | {"active": False, "version": 2, "updated_at": after["updated_at"]}
    assert after["updated_at"] > before["updated_at"]


@pytest.mark.parametrize("method", ["PATCH", "POST"])
async def test_an_empty_change_changes_nothing(client: httpx.AsyncClient, method: str) -> None:
    before = await create(client)
    answer = await client.request(method, "/api/users/1", json={})
    assert (answer.status_code, answer.json()) == (200, before)


async def test_null_removes_a_full_name_and_nothing_else(client: httpx.AsyncClient) -> None:
    await create(client, full_name="Ada Lovelace")
    assert (await client.patch("/api/users/1", json={"full_name": None})).json()["full_name"] is None
    for field in ("username", "email", "active"):
        answer = await client.patch("/api/users/1", json={field: None})
        assert answer.status_code == 422
        assert [error["pointer"] for error in answer.json()["errors"]] == [f"#/{field}"]


async def test_deleting_answers_with_nothing(client: httpx.AsyncClient) -> None:
    await create(client)
    answer = await client.delete("/api/users/1")
    assert (answer.status_code, answer.content) == (204, b"")
    assert "Content-Type" not in answer.headers
    assert (await client.get("/api/users/1")).status_code == 404
    assert (await create(client))["id"] == 2, "An id is never given again."


@pytest.mark.parametrize(
    ("other", "code"),
    [({"username": "aDA"}, "username_taken"), ({"email": "ADA@example.org"}, "email_taken")],
)
async def test_a_name_or_address_that_is_taken_is_a_conflict(
    client: httpx.AsyncClient, other: dict[str, str], code: str
) -> None:
    await create(client)
    answer = await client.post("/api/users", json={"username": "Bob", "email": "bob@example.org"} | other)
    assert (answer.status_code, answer.json()["code"]) == (409, code)
    bob = await create(client, username="Bob", email="bob@example.org")
    answer = await client.patch(f"/api/users/{bob['id']}", json=other)
    assert (answer.status_code, answer.json()["code"]) == (409, code)


@pytest.mark.parametrize("identity", ["0", "2", "002", str(2**63 - 1), str(2**63), str(2**64), "9" * 4000])
@pytest.mark.parametrize(
    ("method", "body"), [("GET", None), ("PATCH", {"active": False}), ("POST", {}), ("DELETE", None)]
)
async def test_an_id_that_no_user_has_is_not_found(
    client: httpx.AsyncClient, identity: str, method: str, body: dict[str, Any] | None
) -> None:
    await create(client)
    answer = await client.request(method, f"/api/users/{identity}", json=body)
    assert (answer.status_code, answer.json()["code"]) == (404, "user_not_found")


@pytest.mark.parametrize("identity", ["-1", "1.0", "one", "1e0", "%201", "+1", "0x1", "1/", "null", "%00"])
async def test_an_id_that_is_not_a_number_is_404(client: httpx.AsyncClient, identity: str) -> None:
    await create(client)
    answer = await client.get(f"/api/users/{identity}")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_leading_zeros_name_the_same_user(client: httpx.AsyncClient) -> None:
    await create(client)
    assert (await client.get("/api/users/001")).json()["id"] == 1


async def test_head_answers_as_get_does_without_a_body(client: httpx.AsyncClient) -> None:
    await create(client)
    for path, status in (("/api/users", 200), ("/api/users/1", 200), ("/api/users/2", 404), ("/health/live", 200)):
        head, get = await client.head(path), await client.get(path)
        assert (head.status_code, head.content) == (status, b"")
        assert head.headers["Content-Type"] == get.headers["Content-Type"]
        assert head.headers["Content-Length"] == get.headers["Content-Length"]


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/api/users", {"GET", "HEAD", "OPTIONS", "POST"}),
        ("/api/users/1", {"GET", "HEAD", "OPTIONS", "POST", "PATCH", "DELETE"}),
        ("/health/live", {"GET", "HEAD", "OPTIONS"}),
        ("/health/ready", {"GET", "HEAD", "OPTIONS"}),
    ],
)
async def test_a_405_lists_the_allowed_methods(client: httpx.AsyncClient, path: str, allowed: set[str]) -> None:
    options = await client.options(path)
    assert (options.status_code, options.content) == (204, b"")
    assert set(options.headers["Allow"].split(", ")) == allowed
    for method in {"PUT", "PATCH", "DELETE", "POST", "TRACE", "CONNECT", "BREW"} - allowed:
        answer = await client.request(method, path, json={})
        assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
        assert set(answer.headers["Allow"].split(", ")) == allowed


async def test_a_trailing_slash_makes_another_address(client: httpx.AsyncClient) -> None:
    await create(client)
    for path in ("/api/users/", "/api/users/1/", "/health/live/"):
        assert (await client.get(path)).status_code == 404


async def test_a_service_written_by_hand_takes_the_place_of_the_real_one(
    client: httpx.AsyncClient, container: Container
) -> None:
    class Everybody:
        async def get_user(self, user_id: int) -> UserRead:
            return ada.model_copy(update={"id": user_id})

    ada = UserRead.model_validate(await create(client))
    with override(container, user_service=Everybody()):
        assert (await client.get("/api/users/77")).json()["id"] == 77
    assert (await client.get("/api/users/77")).status_code == 404
