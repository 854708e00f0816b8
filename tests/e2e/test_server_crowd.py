"""Many clients at once."""

import asyncio

import httpx
from support.carboy_server import HYPERCORN, serve
from support.requests import registration

CLIENTS = 100
PATIENT = {"CARBOY_DATABASE__ACQUIRE_TIMEOUT": "20"}
"""Here a request shall wait for its turn; that it is told to come back later is another test's subject."""


async def live(client: httpx.AsyncClient, number: int) -> list[int]:
    """Register, look, change, look again, and leave if the number is odd; return the statuses."""
    created = await client.post("/api/users", json=registration(f"user-{number}"))
    address = created.headers["Location"]
    seen = await client.get(address)
    assert seen.json()["username"] == f"user-{number}"
    changed = await client.patch(address, json={"full_name": f"Number {number}"})
    again = await client.get(address)
    assert (again.json()["full_name"], again.json()["version"]) == (f"Number {number}", 2)
    statuses = [answer.status_code for answer in (created, seen, changed, again)]
    if number % 2:
        statuses.append((await client.delete(address)).status_code)
    return statuses


async def test_a_hundred_clients_at_once_each_see_their_own_writes(environment: dict[str, str]) -> None:
    with serve(HYPERCORN, environment | PATIENT) as server:
        # A connection for each, as for a crowd of clients.
        limits = httpx.Limits(max_connections=CLIENTS)
        async with httpx.AsyncClient(base_url=server.url, limits=limits, timeout=20, trust_env=False) as client:
            lives = await asyncio.gather(*(live(client, number) for number in range(CLIENTS)))
            assert lives == [[201, 200, 200, 200] + [204] * (number % 2) for number in range(CLIENTS)]
            left = (await client.get("/api/users", params={"limit": 200})).json()["items"]
    assert {user["username"] for user in left} == {f"user-{number}" for number in range(0, CLIENTS, 2)}
