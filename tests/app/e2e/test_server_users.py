"""The users API as its clients see it, under each server that an operator may choose."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.carboy_server import (
    GRANIAN,
    HYPERCORN,
    PRODUCTION,
    UVICORN,
    CarboyServer,
    migrated_copy,
    serve,
)
from support.users import registration

REGISTER = {"method": "POST", "url": "/api/users"}


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(HYPERCORN, id="hypercorn"),
        pytest.param(UVICORN, id="uvicorn"),
        pytest.param(GRANIAN, id="granian"),
    ],
)
def server(
    request: pytest.FixtureRequest, migrated_database: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[CarboyServer]:
    environment = migrated_copy(migrated_database, tmp_path_factory.mktemp("server"))
    with serve(request.param, environment | PRODUCTION) as server:
        yield server


@pytest.fixture
def client(server: CarboyServer) -> Iterator[httpx.Client]:
    with server.client() as client:
        yield client


def test_a_user_is_created_read_listed_changed_and_deleted(client: httpx.Client) -> None:
    created = client.post("/api/users", json=registration("ada"))
    assert created.status_code == 201
    address = created.headers["Location"]
    assert client.get(address).json() == created.json()
    assert created.json() in client.get("/api/users").json()["items"]

    changed = client.patch(address, json={"full_name": "Ada Lovelace"})
    assert (changed.status_code, changed.json()["full_name"], changed.json()["version"]) == (200, "Ada Lovelace", 2)

    deleted = client.delete(address)
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert client.get(address).status_code == 404


def test_it_is_alive_and_ready(client: httpx.Client) -> None:
    assert client.get("/health/live").json() == {"status": "ok", "checks": {}}
    assert client.get("/health/ready").json() == {
        "status": "ok",
        "checks": {"database": "ok", "migrations": "ok"},
    }


@pytest.mark.parametrize(
    ("request_", "status", "code"),
    [
        ({"method": "GET", "url": "/nowhere"}, 404, "not_found"),
        ({"method": "GET", "url": "/api/users/4711"}, 404, "user_not_found"),
        ({"method": "PUT", "url": "/api/users"}, 405, "method_not_allowed"),
        (REGISTER | {"json": {"username": "x" * 2_000_000}}, 413, "content_too_large"),
        (REGISTER | {"content": b"username=ada"}, 415, "unsupported_media_type"),
        (REGISTER | {"json": {"username": ""}}, 422, "invalid_input"),
        (REGISTER | {"content": b'{"username', "headers": {"Content-Type": "application/json"}}, 400, "bad_request"),
    ],
)
def test_each_error_is_a_problem_that_quotes_the_request_id(
    client: httpx.Client, request_: dict[str, Any], status: int, code: str
) -> None:
    answer = client.request(**request_)
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/problem+json")
    problem = answer.json()
    assert (problem["status"], problem["code"]) == (status, code)
    assert problem["request_id"] == answer.headers["X-Request-ID"]


def test_the_id_that_a_client_gives_its_request_comes_back(client: httpx.Client) -> None:
    answer = client.get("/health/live", headers={"X-Request-ID": "the-client.s_own-1"})
    assert answer.headers["X-Request-ID"] == "the-client.s_own-1"


def test_head_answers_as_get_does_but_without_a_body(client: httpx.Client) -> None:
    get, head = client.get("/health/live"), client.head("/health/live")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["Content-Length"] == get.headers["Content-Length"]


def test_a_connection_serves_many_requests(client: httpx.Client) -> None:
    ports = set()
    for _ in range(3):
        with client.stream("GET", "/health/live") as answer:
            ports.add(answer.extensions["network_stream"].get_extra_info("client_addr"))
            answer.read()
    assert len(ports) == 1
