"""Many clients at once."""

import asyncio

import httpx
from support.accounts import HEADERS
from support.carboy_server import HYPERCORN, serve
from support.server import NO_TLS
from support.users import registration

CLIENTS = 100
PATIENT = {"CARBOY_DATABASE__ACQUIRE_TIMEOUT": "20"}
"""Here a request shall wait for its turn; that it is told to come back later is another test's subject."""


def new_client(url: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=url, timeout=20, trust_env=False, verify=NO_TLS, headers=HEADERS)


async def live(url: str, number: int) -> list[int]:
    """Register, look, change, look again, and leave if the number is odd; return the statuses."""
    # A client for each, and so a connection: one client's pool takes ever longer to choose among many.
    async with new_client(url) as client:
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
        lives = await asyncio.gather(*(live(server.url, number) for number in range(CLIENTS)))
        assert lives == [[201, 200, 200, 200] + [204] * (number % 2) for number in range(CLIENTS)]
        async with new_client(server.url) as client:
            left = (await client.get("/api/users", params={"limit": 200})).json()["items"]
    assert {user["username"] for user in left} == {f"user-{number}" for number in range(0, CLIENTS, 2)}
