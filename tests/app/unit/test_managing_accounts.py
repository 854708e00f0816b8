"""What administrators can do, and what not even they can."""

import httpx
import pytest
from support.accounts import ADMIN
from support.people import add_person, bearer, headers_of

from app.security import Permission
from containers import Container


async def role_with(client: httpx.AsyncClient, name: str, *permissions: str) -> None:
    answer = await client.post("/api/roles", json={"name": name, "permissions": permissions})
    assert answer.status_code == 201, answer.text


async def give(client: httpx.AsyncClient, account_id: int, *roles: str) -> httpx.Response:
    return await client.put(f"/api/accounts/{account_id}/roles", json={"roles": roles})


async def test_a_lost_role_is_lost_with_the_next_request(client: httpx.AsyncClient, container: Container) -> None:
    account_id = await add_person(container)
    headers = await headers_of(client)
    await role_with(client, "reader", Permission.USERS_READ)
    assert (await client.get("/api/users", headers=headers)).status_code == 403
    assert (await give(client, account_id, "member", "reader")).json()["roles"] == ["member", "reader"]
    assert (await client.get("/api/users", headers=headers)).status_code == 200
    await give(client, account_id, "member")
    assert (await client.get("/api/users", headers=headers)).status_code == 403


async def test_the_last_administrator_stays(client: httpx.AsyncClient, container: Container) -> None:
    account_id = await add_person(container, is_administrator=True)
    answers = [
        await give(client, account_id, "member"),
        await client.patch("/api/users/1", json={"active": False}),
        await client.delete("/api/users/1"),
    ]
    assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(409, "last_administrator")}
    await add_person(container, "bob", is_administrator=True)
    assert (await give(client, account_id, "member")).status_code == 200
    assert (await client.delete("/api/users/2")).status_code == 409


async def test_the_administrators_role_keeps_its_permissions(client: httpx.AsyncClient) -> None:
    changes: list[dict[str, object]] = [{"permissions": []}, {"name": "boss"}]
    for change in changes:
        answer = await client.patch("/api/roles/2", json=change)
        assert (answer.status_code, answer.json()["code"]) == (409, "built_in_role")
    assert (await client.delete("/api/roles/1")).status_code == 409
    unknown = await client.post("/api/roles", json={"name": "x", "permissions": ["users:fly"]})
    assert (unknown.status_code, unknown.json()["errors"][0]["pointer"]) == (422, "#/permissions/0")
    assert (await give(client, 1, "nobody")).json()["errors"][0]["pointer"] == "#/roles"


async def test_nobody_gets_hold_of_an_account_that_may_do_more(client: httpx.AsyncClient, container: Container) -> None:
    await add_person(container, is_administrator=True)
    helper = await add_person(container, "bob")
    await role_with(client, "helper", "users:read", "users:write", "accounts:manage")
    await give(client, helper, "helper")
    headers = await headers_of(client, "bob")
    for answer in (
        await client.patch("/api/users/1", json={"email": "bob2@example.org"}, headers=headers),
        await client.patch("/api/users/1", json={"active": False}, headers=headers),
        await client.delete("/api/users/1", headers=headers),
        # The service of the tests may do everything.
        await client.post("/api/service-accounts/1/api-keys", json={"name": "x"}, headers=headers),
        await client.post("/api/service-accounts", json={"name": "x", "roles": ["administrator"]}, headers=headers),
        await client.post(
            "/api/accounts/invitations", json={"email": "c@example.org", "role": "administrator"}, headers=headers
        ),
    ):
        assert answer.status_code == 403, answer.text


async def test_a_service_account_comes_by_its_keys_until_it_is_disabled(client: httpx.AsyncClient) -> None:
    await role_with(client, "reader", Permission.USERS_READ)
    made = await client.post("/api/service-accounts", json={"name": "reports", "roles": ["reader"]})
    where = made.headers["Location"].replace("/accounts/", "/service-accounts/")
    headers = bearer((await client.post(f"{where}/api-keys", json={"name": "nightly"})).json()["key"])
    assert (await client.get("/api/users", headers=headers)).status_code == 200
    me = (await client.get("/api/me", headers=headers)).json()
    assert (me["kind"], me["name"], me["user_id"]) == ("service", "reports", None)
    assert (await client.patch("/api/me", json={"full_name": "x"}, headers=headers)).status_code == 403
    assert (await client.patch(where, json={"disabled": True})).status_code == 200
    assert (await client.get("/api/users", headers=headers)).status_code == 401
    assert (await client.patch(where, json={"disabled": False})).status_code == 200
    assert (await client.get("/api/users", headers=headers)).status_code == 200
    assert (await client.delete(where)).status_code == 204
    assert (await client.get("/api/users", headers=headers)).status_code == 401


async def test_the_first_administrator_is_made_by_a_link_once(client: httpx.AsyncClient, container: Container) -> None:
    service = container.registration_service()

    old = await service.offer_first_administrator(ADMIN)
    token = await service.offer_first_administrator(ADMIN)
    assert old is not None
    assert token is not None
    body = {"username": "ada", "email": "ada@example.org", "password": "seven grey herons over the weir"}
    nobody = {"Authorization": ""}

    async def claim(secret: str) -> httpx.Response:
        return await client.post("/api/auth/first-administrator", json=body | {"token": secret}, headers=nobody)

    assert (await claim(old.reveal())).status_code == 400
    assert (await claim(token.reveal())).status_code == 204
    assert (await claim(token.reveal())).status_code == 400
    assert await service.offer_first_administrator(ADMIN) is None
    assert (await client.get("/api/roles", headers=await headers_of(client))).status_code == 200


async def test_what_happened_is_listed_and_filtered(client: httpx.AsyncClient, container: Container) -> None:
    account_id = await add_person(container)
    await headers_of(client)
    events = (await client.get(f"/api/audit-events?subject_id={account_id}&sort=-id")).json()["items"]
    assert [event["event"] for event in events][:2] == ["login.succeeded", "roles.assigned"]
    assert (events[0]["actor_kind"], events[0]["address"]) == ("anonymous", "127.0.0.1")
    some = (await client.get("/api/audit-events?event=user.created,login.succeeded&limit=1")).json()
    assert [event["event"] for event in some["items"]] == ["user.created"]
    assert some["next_cursor"] is not None


@pytest.mark.parametrize("path", ["/api/accounts", "/api/roles", "/api/audit-events", "/api/users"])
async def test_members_see_none_of_it(client: httpx.AsyncClient, container: Container, path: str) -> None:
    await add_person(container)
    assert (await client.get(path, headers=await headers_of(client))).status_code == 403
    assert (await client.get(path, headers={"Authorization": ""})).status_code == 401
