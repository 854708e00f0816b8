"""Cookies, redirects and messages of pages."""

from datetime import timedelta

import pytest
from flask import Response
from werkzeug.test import EnvironBuilder

from carboy.config.settings import Environment
from carboy.web.application import Request
from carboy.web.csrf import is_token_of, secret_of, token_of
from carboy.web.flashes import MAX_FLASHES, Flash, FlashKind, add_flash, read_flashes
from carboy.web.redirects import safe_target
from carboy.web.sessions import create_session_cookie


def asked_with(cookie: str) -> Request:
    return Request(EnvironBuilder(headers=[("Cookie", cookie)]).get_environ())


@pytest.mark.parametrize("environment", [Environment.STAGING, Environment.PRODUCTION])
def test_where_it_is_deployed_the_cookie_is_for_tls_and_this_host_alone(environment: Environment) -> None:
    cookie, response = create_session_cookie(environment), Response()
    cookie.write(response, "token", lifetime=timedelta(hours=8))
    [header] = response.headers.getlist("Set-Cookie")
    name, *attributes = header.split("; ")
    assert name == "__Host-session=token"
    assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=28800"} <= set(attributes)
    assert not any(attribute.startswith("Domain") for attribute in attributes)
    assert response.cache_control.no_store
    # Over plain HTTP another could have set this one.
    assert cookie.read(asked_with("session=token")) is None
    assert cookie.read(asked_with("__Host-session=token")) == "token"


def test_in_development_the_cookie_works_over_plain_http() -> None:
    cookie, response = create_session_cookie(Environment.DEVELOPMENT), Response()
    cookie.write(response, "token")
    header = response.headers["Set-Cookie"]
    assert header.startswith("session=token;")
    assert "Secure" not in header
    assert "Max-Age" not in header
    assert cookie.read(asked_with("session=token")) == "token"
    assert cookie.read(asked_with("session=")) is None


def test_logout_takes_the_cookie_away_and_clears_the_browser() -> None:
    response = Response()
    create_session_cookie(Environment.PRODUCTION).delete(response)
    assert "__Host-session=;" in response.headers["Set-Cookie"]
    assert "Secure" in response.headers["Set-Cookie"]
    assert response.headers["Clear-Site-Data"] == '"cache", "cookies", "storage"'


@pytest.mark.parametrize("target", ["/", "/account", "/account?tab=2&next=//x#top", "/a/..//b", "/%0d%0a"])
def test_a_path_of_this_application_is_a_target(target: str) -> None:
    assert safe_target(target) == target


@pytest.mark.parametrize(
    "target",
    [
        None,
        "",
        "account",
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/a\\b",
        "https://evil.example",
        "https:evil.example",
        "javascript:alert(1)",
        "/\t/evil.example",
        "/\n/evil.example",
        "\t//evil.example",
        " /account",
        "/account\r\nSet-Cookie: a=b",
        "/é",
        "/\x00",
        "/" + "x" * 2000,
    ],
)
def test_anything_else_is_none(target: str | None) -> None:
    assert safe_target(target, "/account") == "/account"


def test_a_token_of_a_form_is_another_one_each_time() -> None:
    secret = secret_of("a session")
    tokens = {token_of(secret) for _ in range(100)}
    assert len(tokens) == 100
    assert all(is_token_of(secret, token) for token in tokens)
    assert not any(is_token_of(secret_of("another session"), token) for token in tokens)
    assert not any(secret in token for token in tokens)


def test_messages_wait_in_the_order_in_which_they_came() -> None:
    stored = None
    for number in range(MAX_FLASHES + 2):
        stored = add_flash(stored, Flash(kind=FlashKind.INFO, text=f"Message {number}."))
    assert [flash.text for flash in read_flashes(stored)] == [f"Message {number}." for number in range(2, 7)]
    assert read_flashes(None) == []
