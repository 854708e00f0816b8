"""A page is for who may see it, its forms come from itself, and its errors are pages."""

import threading

import httpx
import pytest
from dependency_injector.containers import DynamicContainer
from flask import Flask
from support.pages import browser, paged  # noqa: F401 - fixtures.

from carboy.di.wiring import WiringError, wire
from carboy.testing.client import BASE_URL
from carboy.web.pages import csrf_token


def as_who(name: str, **headers: str) -> dict[str, str]:
    return {"Cookie": f"session={name}", **headers}


async def post(client: httpx.AsyncClient, path: str, who: str, token: str, **headers: str) -> httpx.Response:
    return await client.post(path, data={"csrf_token": token}, headers=as_who(who, **headers))


async def test_a_visitor_is_sent_to_the_login_and_back(browser: httpx.AsyncClient) -> None:  # noqa: F811 - the fixture.
    for headers in ({}, as_who("visitor"), as_who("rubbish")):
        answer = await browser.get("/account?tab=2", headers=headers)
        assert (answer.status_code, answer.headers["Location"]) == (303, "/login?next=/account?tab%3D2")


async def test_a_page_that_says_nothing_is_for_those_who_are_known(browser: httpx.AsyncClient) -> None:  # noqa: F811
    assert (await browser.get("/silent")).status_code == 303
    assert (await browser.get("/silent", headers=as_who("person"))).status_code == 200


async def test_who_is_not_permitted_sees_a_page_that_says_so(browser: httpx.AsyncClient) -> None:  # noqa: F811
    answer = await browser.get("/admin", headers=as_who("person"))
    assert (answer.status_code, answer.headers["Content-Type"]) == (403, "text/html; charset=utf-8")
    assert "Your account may not do this." in answer.text
    assert (await browser.get("/admin", headers=as_who("admin"))).text == "admin"


async def test_a_token_in_a_header_opens_no_page(browser: httpx.AsyncClient) -> None:  # noqa: F811
    assert (await browser.get("/account", headers={"Authorization": "Bearer person"})).status_code == 303


async def test_a_form_is_taken_with_its_own_token_alone(browser: httpx.AsyncClient) -> None:  # noqa: F811
    token = (await browser.get("/account", headers=as_who("person"))).text
    other = (await browser.get("/account", headers=as_who("admin"))).text
    assert (await post(browser, "/account", "person", token)).text == "changed"
    assert (await post(browser, "/account", "person", token)).status_code == 200
    for wrong in ("", other, token[:-4], token[:-5] + "AAAA=", "é", "x" * 10**4):
        answer = await post(browser, "/account", "person", wrong)
        assert answer.status_code == 403
        assert "sent from another site" in answer.text


async def test_a_login_form_needs_a_token_too(browser: httpx.AsyncClient) -> None:  # noqa: F811
    token = (await browser.get("/login", headers=as_who("visitor"))).text
    assert (await post(browser, "/login", "nobody", token)).status_code == 403
    assert (await post(browser, "/login", "visitor", token)).headers["Location"] == "/account"
    # That of the session before the login is worth nothing after it.
    assert (await post(browser, "/account", "person", token)).status_code == 403


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": BASE_URL}, 200),
        ({"Referer": "https://evil.example/"}, 403),
        ({"Referer": f"{BASE_URL}/account"}, 200),
        ({"Sec-Fetch-Site": "cross-site", "Origin": BASE_URL}, 403),
    ],
)
async def test_what_another_site_sends_is_refused_even_with_the_token(
    browser: httpx.AsyncClient,  # noqa: F811
    headers: dict[str, str],
    status: int,
) -> None:
    token = (await browser.get("/account", headers=as_who("person"))).text
    assert (await post(browser, "/account", "person", token, **headers)).status_code == status


async def test_the_origin_is_that_of_the_configuration(paged: Flask, browser: httpx.AsyncClient) -> None:  # noqa: F811
    paged.config["PUBLIC_URL"] = "https://app.example.org/base"
    token = (await browser.get("/account", headers=as_who("person"))).text
    assert (await post(browser, "/account", "person", token, Origin=BASE_URL)).status_code == 403
    assert (await post(browser, "/account", "person", token, Origin="https://app.example.org")).status_code == 200


async def test_a_page_loads_nothing_from_elsewhere_and_is_not_kept(browser: httpx.AsyncClient) -> None:  # noqa: F811
    answer = await browser.get("/account", headers=as_who("person"))
    policy = dict(part.split(" ", 1) for part in answer.headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["form-action"] == "'self'"
    assert "script-src" not in policy
    assert answer.headers["Cache-Control"] == "no-store"


async def test_a_page_that_runs_on_a_thread_is_guarded_too(browser: httpx.AsyncClient) -> None:  # noqa: F811
    found = [await browser.get("/blocking", headers=as_who(who)) for who in ("rubbish", "person", "person")]
    assert [answer.status_code for answer in found] == [303, 200, 429]
    assert found[1].text != threading.current_thread().name


async def test_a_page_counts_by_account(browser: httpx.AsyncClient) -> None:  # noqa: F811
    found = [(await browser.get("/often", headers=as_who(who))).status_code for who in ("person", "person", "admin")]
    assert found == [200, 429, 200]


async def test_an_error_is_a_page_for_browsers_and_json_for_programs(browser: httpx.AsyncClient) -> None:  # noqa: F811
    page = await browser.get("/nothing/<script>")
    assert (page.status_code, page.headers["Content-Type"]) == (404, "text/html; charset=utf-8")
    assert "There is nothing at this address." in page.text
    assert "<script" not in page.text
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    for accept in ("*/*", "application/json", "text/html;q=0.5,application/json", "x" * 5000):
        answer = await browser.get("/nothing", headers={"Accept": accept})
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.headers["Vary"] == "Accept"
    assert (await browser.get("/api/nothing")).headers["Content-Type"] == "application/problem+json"


def test_a_form_without_a_session_is_a_mistake(paged: Flask) -> None:  # noqa: F811
    with paged.test_request_context("/login"), pytest.raises(RuntimeError, match="needs a session"):
        csrf_token()


def test_without_sessions_an_application_with_pages_does_not_start(paged: Flask) -> None:  # noqa: F811
    bare = DynamicContainer()
    with pytest.raises(WiringError, match="no provider 'page_sessions'"):
        wire(bare, paged)
