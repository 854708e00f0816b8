"""The users API over real databases."""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from support.users import registration

from carboy.db import Engines

RACES: dict[str, Callable[[int], dict[str, Any]]] = {
    "the same": lambda number: registration("ada"),
    "the username in another case": lambda number: registration(
        "straße" if number % 2 else "STRASSE", email=f"{number}@example.org"
    ),
    "the email address in another case": lambda number: registration(
        f"user{number}", email="ada@example.org" if number % 2 else "Ada@EXAMPLE.org"
    ),
}


async def test_a_user_is_created_read_changed_and_deleted(client: httpx.AsyncClient) -> None:
    created = await client.post("/api/users", json=registration("Ada", full_name="Ada Lovelace"))
    assert created.status_code == 201
    address = created.headers["Location"]
    assert created.json()["created_at"] == created.json()["updated_at"]
    assert created.json() | {"created_at": 0, "updated_at": 0} == {
        "id": 1,
        "username": "Ada",
        "email": "ada@example.org",
        "full_name": "Ada Lovelace",
        "active": True,
        "created_at": 0,
        "updated_at": 0,
        "version": 1,
    }
    assert (await client.get(address)).json() == created.json()

    changed = await client.patch(address, json={"full_name": None})
    assert changed.status_code == 200
    assert (changed.json()["full_name"], changed.json()["version"]) == (None, 2)
    changed = await client.post(address, json={"active": False})
    assert (changed.json()["active"], changed.json()["version"]) == (False, 3)

    assert (await client.delete(address)).status_code == 204
    assert (await client.get(address)).status_code == 404


@pytest.mark.parametrize("entry", RACES.values(), ids=RACES.keys())
async def test_of_50_equal_registrations_at_once_one_succeeds(
    client: httpx.AsyncClient, entry: Callable[[int], dict[str, Any]]
) -> None:
    answers = await asyncio.gather(*(client.post("/api/users", json=entry(number)) for number in range(50)))
    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 49}
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} <= {
        "username_taken",
        "email_taken",
    }
    assert len((await client.get("/api/users")).json()["items"]) == 1


async def test_a_user_whom_others_refer_to_is_kept(client: httpx.AsyncClient, engines: Engines) -> None:
    address = (await client.post("/api/users", json=registration("ada"))).headers["Location"]
    async with engines.migrator.begin() as connection:
        await connection.execute(text("CREATE TABLE pets (owner_id bigint REFERENCES users (id))"))
        await connection.execute(text("INSERT INTO pets SELECT id FROM users"))
    try:
        answer = await client.delete(address)
        assert (answer.status_code, answer.json()["code"]) == (409, "in_use")
        assert (await client.get(address)).status_code == 200
    finally:
        async with engines.migrator.begin() as connection:
            await connection.execute(text("DROP TABLE pets"))
    assert (await client.delete(address)).status_code == 204
