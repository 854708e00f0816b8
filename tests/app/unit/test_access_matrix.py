"""Every route of the document, tried by everybody: who may not use it does not, whatever it is."""

import re
from collections.abc import Iterator
from typing import Any

import httpx
from flask import Flask
from support.accounts import MEMBER_HEADERS
from support.people import add_person, headers_of

from carboy.api.openapi.document import describe
from carboy.web.access import undeclared_routes
from containers import Container

NOBODY = {"Authorization": ""}
Operation = tuple[str, str, list[str] | None]


def operations(app: Flask) -> Iterator[Operation]:
    """Yield method, path and permissions of each operation; None where everybody may."""
    for path, methods in describe(app)["paths"].items():
        for method, operation in methods.items():
            needed = operation["security"]
            is_public = needed == [] or {} in needed
            # The rows are of somebody else: of the service of the tests, or of the first user.
            yield method.upper(), re.sub(r"\{\w+\}", "1", path), None if is_public else needed[0]["bearer"]


def test_each_route_says_who_may_use_it(app: Flask) -> None:
    assert undeclared_routes(app) == []


async def test_nobody_and_members_get_no_further_than_they_may(
    client: httpx.AsyncClient, container: Container, app: Flask
) -> None:
    await add_person(container, "ada")
    await add_person(container, "bob")
    bob = await headers_of(client, "bob")
    tried = {"public": 0, "nobody": 0, "member": 0, "own": 0}
    for method, path, needed in operations(app):
        if needed is None:
            tried["public"] += 1
            continue
        answer = await client.request(method, path, headers=NOBODY)
        assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer"), (method, path)
        tried["nobody"] += 1
        if any(not permission.startswith("me:") for permission in needed):
            for headers in (bob, MEMBER_HEADERS):
                # The account with the id 1 is that of the tests; the user with the id 1 is ada.
                refused = await client.request(method, path, headers=headers)
                assert (refused.status_code, refused.json()["code"]) == (403, "forbidden"), (method, path)
                tried["member"] += 1
    assert tried["nobody"] > 30
    assert tried["member"] > 40


async def test_no_field_of_any_schema_can_be_slipped_into_ones_own_profile(
    client: httpx.AsyncClient, container: Container, app: Flask
) -> None:
    await add_person(container)
    headers = await headers_of(client)
    before = (await client.get("/api/me", headers=headers)).json()
    schemas: dict[str, Any] = describe(app)["components"]["schemas"]
    fields = {name for schema in schemas.values() for name in schema.get("properties", {})}
    writable = set(schemas["MeUpdate"]["properties"])
    assert writable == {"username", "full_name"}
    for name in sorted(fields - writable):
        for value in (True, "administrator", 1, ["administrator"]):
            refused = await client.patch("/api/me", json={name: value}, headers=headers)
            assert refused.status_code == 422, name
    assert (await client.get("/api/me", headers=headers)).json() == before
