"""What the HTTP layer adds to a list: links to the pages around it, and sparse answers."""

import re
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from flask import Flask
from support.accounts import RAW_HEADERS
from support.asgi import ask
from support.users import registration

from carboy.server import create_asgi
from containers import Container


@pytest.fixture
async def five(client: httpx.AsyncClient) -> httpx.AsyncClient:
    for name in ("ada", "bob", "cat", "dan", "eve"):
        await client.post("/api/users", json=registration(name, full_name=f"{name} & co"))
    return client


def links_of(answer: httpx.Response) -> dict[str, str]:
    return {
        relation: address for address, relation in re.findall(r'<([^>]*)>; rel="(\w+)"', answer.headers.get("Link", ""))
    }


def names_of(answer: httpx.Response) -> list[str]:
    return [user["username"] for user in answer.json()["items"]]


async def test_links_lead_there_and_back(five: httpx.AsyncClient) -> None:
    pages = [await five.get("/api/users?sort=-username&limit=2")]
    assert set(links_of(pages[0])) == {"next"}
    while "next" in links_of(pages[-1]):
        pages.append(await five.get(links_of(pages[-1])["next"]))
    assert [names_of(page) for page in pages] == [["eve", "dan"], ["cat", "bob"], ["ada"]]
    assert [set(links_of(page)) for page in pages] == [{"next"}, {"next", "prev"}, {"prev"}]
    back = await five.get(links_of(pages[2])["prev"])
    assert names_of(back) == ["cat", "bob"]
    assert names_of(await five.get(links_of(back)["prev"])) == ["eve", "dan"]


async def test_a_link_has_the_cursor_of_the_body_and_all_else_that_was_asked_for(five: httpx.AsyncClient) -> None:
    answer = await five.get("/api/users?q=%26%20co&limit=2&total=true&fields=id%2Cusername&active=true")
    address = urlsplit(links_of(answer)["next"])
    assert (address.scheme, address.netloc, address.path) == ("", "", "/api/users")
    assert parse_qs(address.query) == {
        "q": ["& co"],
        "limit": ["2"],
        "total": ["true"],
        "fields": ["id,username"],
        "active": ["true"],
        "cursor": [answer.json()["next_cursor"]],
    }
    assert (await five.get(links_of(answer)["next"])).json()["total"] == 5


@pytest.mark.parametrize("name", ["cursor", "%63ursor"])
async def test_a_link_has_one_cursor_only(five: httpx.AsyncClient, name: str) -> None:
    first = await five.get("/api/users?limit=1")
    second = await five.get(f"/api/users?{name}={first.json()['next_cursor']}&limit=1")
    assert names_of(await five.get(links_of(second)["next"])) == ["cat"]


async def test_a_list_on_one_page_has_no_links(five: httpx.AsyncClient) -> None:
    assert "Link" not in (await five.get("/api/users")).headers


async def test_links_know_where_the_application_is_mounted(five: httpx.AsyncClient) -> None:
    five._transport.root_path = "/under here"  # type: ignore[attr-defined]  # noqa: SLF001 - httpx's own transport.
    answer = await five.get("/under%20here/api/users?limit=1")
    assert links_of(answer)["next"].startswith("/under%20here/api/users?limit=1&cursor=")


async def test_a_query_cannot_break_out_of_the_link_header(
    five: httpx.AsyncClient, app: Flask, container: Container
) -> None:
    evil = 'x>;rel="evil"'
    for name in ("fay", "gus"):
        await five.post("/api/users", json=registration(name, full_name=evil))
    # As it is: httpx would encode what must not stand in an address.
    answer = await ask(create_asgi(container, app), f"/api/users?limit=1&q={evil}", headers=RAW_HEADERS)
    link = re.fullmatch(r'<([^<>"]*)>; rel="next"', str(answer.header("Link")))
    assert link is not None
    assert names_of(await five.get(link[1])) == ["gus"]


@pytest.mark.parametrize("fields", ["id", "username,id", "version,email,created_at"])
async def test_items_have_the_fields_only_that_were_asked_for(five: httpx.AsyncClient, fields: str) -> None:
    whole, sparse = await five.get("/api/users"), await five.get("/api/users", params={"fields": fields})
    wanted = set(fields.split(","))
    assert sparse.json()["items"] == [
        {name: value for name, value in user.items() if name in wanted} for user in whole.json()["items"]
    ]
    assert set(sparse.json()) == set(whole.json())
    assert sparse.headers["ETag"] != whole.headers["ETag"]


@pytest.mark.parametrize("fields", ["", "password", "id,,email", "username_key", "id,id", "ID"])
async def test_an_unknown_field_is_named_with_the_known_ones(five: httpx.AsyncClient, fields: str) -> None:
    answer = await five.get("/api/users", params={"fields": fields})
    assert answer.status_code == 422
    [error] = answer.json()["errors"]
    assert error["parameter"] == "fields"
    assert "username" in error["detail"]
