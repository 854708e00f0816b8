"""Pages of other origins may use the API if the operator has named their origin, and no others."""

import httpx
import pytest
from flask import Flask
from support.asgi import ask

from carboy.config.settings import Settings
from carboy.server import create_asgi
from containers import Container

ORIGIN = "https://app.example.org"
READABLE = (
    "Deprecation, ETag, Idempotency-Replayed, Link, Location, RateLimit, RateLimit-Policy, Retry-After, Sunset,"
    " WWW-Authenticate, X-Request-ID"
)
SENDABLE = (
    "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, traceparent, tracestate, X-Request-ID"
)
PREFLIGHT = {
    "Access-Control-Request-Method": "PATCH",
    "Access-Control-Request-Headers": "content-type,if-match",
}


@pytest.fixture
def origins() -> tuple[str, ...]:
    return (ORIGIN, "http://[::1]:3000")


@pytest.fixture
def settings(settings: Settings, origins: tuple[str, ...]) -> Settings:
    return settings.model_copy(update={"http": settings.http.model_copy(update={"cors_origins": origins})})


def cors_headers(answer: httpx.Response) -> dict[str, str]:
    """Return what an answer says of CORS, without the prefix that all of it has."""
    prefix = "access-control-"
    return {name.removeprefix(prefix): value for name, value in answer.headers.items() if name.startswith(prefix)}


async def test_an_allowed_origin_may_read_an_answer_and_its_headers(client: httpx.AsyncClient) -> None:
    for origin in (ORIGIN, "http://[::1]:3000"):
        answer = await client.get("/api/users", headers={"Origin": origin})
        assert cors_headers(answer) == {
            "allow-origin": origin,
            "expose-headers": READABLE,
        }
        assert "Origin" in answer.headers.get_list("Vary", split_commas=True)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/users/9", 404),
        ("GET", "/api/nothing", 404),
        ("PUT", "/api/users", 405),
        ("POST", "/api/users", 415),
    ],
)
async def test_an_allowed_origin_may_read_what_went_wrong(
    client: httpx.AsyncClient, method: str, path: str, status: int
) -> None:
    answer = await client.request(method, path, headers={"Origin": ORIGIN})
    assert answer.status_code == status
    assert set(cors_headers(answer)) == {"allow-origin", "expose-headers"}


@pytest.mark.parametrize(
    "origin",
    [
        None,
        "",
        "null",
        "*",
        "https://evil.example",
        "http://app.example.org",
        "https://app.example.org:444",
        "https://app.example.org.evil.example",
        "https://evil.example/https://app.example.org",
        "https://APP.example.org",
        "https://app.example.org/",
        "https://app.example.org https://evil.example",
        "https://appXexample.org",
        "http://1:3000",
        "http://[::2]:3000",
        "https://app.example.org\xff",
        "x" * 60_000,
    ],
)
async def test_another_origin_gets_no_cors_headers_but_vary(client: httpx.AsyncClient, origin: str | None) -> None:
    headers = httpx.Headers({} if origin is None else {"Origin": origin}, encoding="latin-1")
    preflight = httpx.Headers(headers, encoding="latin-1")
    preflight.update(PREFLIGHT)
    for answer in (
        await client.get("/api/users", headers=headers),
        await client.options("/api/users", headers=preflight),
    ):
        assert answer.is_success
        assert cors_headers(answer) == {}
        assert "Origin" in answer.headers.get_list("Vary", split_commas=True)


async def test_two_origins_in_one_request_are_none(app: Flask, container: Container) -> None:
    asgi = create_asgi(container, app)
    for second in (ORIGIN, "https://evil.example"):
        origins = [(b"origin", ORIGIN.encode()), (b"origin", second.encode())]
        answer = await ask(asgi, "/api/users", method="OPTIONS", headers=origins)
        assert answer.header("Access-Control-Allow-Origin") is None


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/api/users", "GET, HEAD, OPTIONS, POST"),
        ("/api/users/7", "DELETE, GET, HEAD, OPTIONS, PATCH, POST"),
    ],
)
async def test_a_preflight_is_told_the_methods_of_its_address(
    client: httpx.AsyncClient, path: str, methods: str
) -> None:
    answer = await client.options(path, headers=PREFLIGHT | {"Origin": ORIGIN})
    assert (answer.status_code, answer.content) == (204, b"")
    assert cors_headers(answer) == {
        "allow-origin": ORIGIN,
        "allow-methods": methods,
        "allow-headers": SENDABLE,
        "expose-headers": READABLE,
        "max-age": "600",
    }


async def test_a_preflight_for_an_unknown_address_fails(client: httpx.AsyncClient) -> None:
    answer = await client.options("/api/nothing", headers=PREFLIGHT | {"Origin": ORIGIN})
    assert answer.status_code == 404
    assert "allow-methods" not in cors_headers(answer)


async def test_nothing_outside_the_api_is_shared(client: httpx.AsyncClient) -> None:
    for path in ("/health/live", "/apiary", "/"):
        answer = await client.get(path, headers={"Origin": ORIGIN})
        assert cors_headers(answer) == {}
        assert "Origin" not in answer.headers.get_list("Vary", split_commas=True)


@pytest.mark.parametrize("origins", [()])
async def test_without_an_origin_in_the_settings_there_is_no_cors(client: httpx.AsyncClient) -> None:
    answer = await client.options("/api/users", headers=PREFLIGHT | {"Origin": ORIGIN})
    assert cors_headers(answer) == {}
    assert "Vary" not in answer.headers
