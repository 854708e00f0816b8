"""Every answer is safe in a browser and for its client alone, and each address tells its methods."""

import httpx
import pytest
from flask import Flask, Response
from support.users import registration

from carboy.web.headers import DEFAULTS, TLS_ALONE

USER = registration("ada")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/users", 200),
        ("HEAD", "/api/users", 200),
        ("OPTIONS", "/api/users", 204),
        ("GET", "/api/users/9", 404),
        ("GET", "/nothing", 404),
        ("PUT", "/api/users", 405),
        ("GET", "/health/live", 200),
    ],
)
async def test_every_answer_has_them(client: httpx.AsyncClient, method: str, path: str, status: int) -> None:
    answer = await client.request(method, path)
    assert answer.status_code == status
    # A problem is not stored at all.
    wanted = DEFAULTS | ({"Cache-Control": "no-store"} if status >= 400 else {})
    assert {name: answer.headers.get_list(name) for name in wanted} == {name: [value] for name, value in wanted.items()}


async def test_a_failure_has_them_too(app: Flask, client: httpx.AsyncClient) -> None:
    def fail() -> Response:
        raise RuntimeError

    app.view_functions["health.check_liveness"] = fail
    answer = await client.get("/health/live")
    assert answer.status_code == 500
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_over_tls_a_browser_is_told_to_keep_to_it(app: Flask, client: httpx.AsyncClient) -> None:
    for path in ("/health/live", "/nothing"):
        answer = await client.get(f"https://testserver{path}")
        assert answer.headers.get_list(TLS_ALONE[0]) == [TLS_ALONE[1]]
        assert TLS_ALONE[0] not in (await client.get(path)).headers
    own = {TLS_ALONE[0].lower(): "max-age=60"}
    app.view_functions["health.check_liveness"] = lambda: Response("{}", headers=own)
    assert (await client.get("https://testserver/health/live")).headers.get_list(TLS_ALONE[0]) == ["max-age=60"]


async def test_what_a_view_has_set_stays(app: Flask, client: httpx.AsyncClient) -> None:
    own = {"content-security-policy": "default-src 'self'", "CACHE-CONTROL": "public, max-age=60"}
    app.view_functions["health.check_liveness"] = lambda: Response("{}", headers=own)
    answer = await client.get("/health/live")
    for name, value in own.items():
        assert answer.headers.get_list(name) == [value]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("path", "allow"),
    [
        ("/api/users", "GET, HEAD, OPTIONS, POST"),
        ("/api/users/7", "DELETE, GET, HEAD, OPTIONS, PATCH, POST"),
        ("/health/ready", "GET, HEAD, OPTIONS"),
    ],
)
async def test_an_address_tells_its_methods(client: httpx.AsyncClient, path: str, allow: str) -> None:
    answer = await client.options(path)
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["Allow"] == allow
    assert not {"Content-Type", "Content-Length", "ETag"} & {name.title() for name in answer.headers}

    refused = await client.request("BREW", path)
    assert refused.status_code == 405
    assert refused.headers["Allow"] == allow


async def test_an_address_that_can_be_patched_tells_how(client: httpx.AsyncClient) -> None:
    told = (await client.options("/api/users/7")).headers["Accept-Patch"].split(", ")
    assert told == ["application/merge-patch+json", "application/json"]
    user = (await client.post("/api/users", json=USER)).headers["Location"]
    for media_type in told:
        headers = {"Content-Type": media_type}
        assert (await client.patch(user, content=b'{"active": false}', headers=headers)).status_code == 200
    assert "Accept-Patch" not in (await client.options("/api/users")).headers


@pytest.mark.parametrize("path", ["/api/nothing", "/api/users/x", "/api/users/", "/nothing"])
async def test_an_unknown_address_is_not_found_by_options_either(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.options(path)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert "Allow" not in answer.headers


async def test_head_is_get_without_a_body(client: httpx.AsyncClient) -> None:
    created = await client.post("/api/users", json=USER)
    for path in ("/api/users", created.headers["Location"], "/api/users/99", "/health/live"):
        got, head = await client.get(path), await client.head(path)
        assert head.content == b""
        assert head.status_code == got.status_code
        del got.headers["X-Request-ID"], head.headers["X-Request-ID"]
        assert head.headers == got.headers
        assert got.headers["Content-Length"] == str(len(got.content))
