"""Relations as clients meet them: many at once, and with ETag and If-Match, on both databases."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
import pytest_asyncio
from support.databases import database_settings
from support.invoices import InvoicesContainer, OwnerDao, invoices, metadata

from app import create_app
from carboy.config.settings import Settings
from carboy.db import Engines
from carboy.di.wiring import unwire, wire
from carboy.server import create_asgi
from carboy.testing import override
from carboy.testing.client import client_of


@pytest_asyncio.fixture
async def tables(engines: Engines) -> AsyncIterator[None]:
    async with engines.migrator.begin() as connection:
        await connection.run_sync(metadata.create_all)
    yield
    async with engines.migrator.begin() as connection:
        await connection.run_sync(metadata.drop_all)


@pytest.fixture
def container(settings: Settings, database_url: str) -> Iterator[InvoicesContainer]:
    container = InvoicesContainer()
    real = settings.model_copy(update={"database": database_settings(database_url)})
    with override(container, settings=real):
        yield container


@pytest_asyncio.fixture
async def client(tables: None, container: InvoicesContainer) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(container)
    app.register_blueprint(invoices)
    wire(container, app)
    async with client_of(create_asgi(container, app)) as client:
        database = container.database()
        await database.write(lambda: OwnerDao(database).add({"name": "ada", "password_hash": "secret"}))
        yield client
    unwire(container)


def invoice(number: int = 1, **changes: object) -> dict[str, object]:
    return {"number": f"{number}", "owner_id": 1, **changes}


async def test_ten_clients_at_once_may_use_one_new_tag(client: httpx.AsyncClient) -> None:
    for batch in range(5):
        new = [invoice(batch * 10 + number, tags=[f"b{batch}", f"a{batch}"][:: (-1) ** number]) for number in range(10)]
        answers = await asyncio.gather(*(client.post("/api/apart/invoices", json=each) for each in new))
        assert [answer.status_code for answer in answers] == [201] * 10
        assert all(answer.json()["tags"] == [f"a{batch}", f"b{batch}"] for answer in answers)


async def test_tags_that_changed_alone_are_sent_to_who_has_the_old_ones(client: httpx.AsyncClient) -> None:
    made = await client.post("/api/apart/invoices", json=invoice(tags=["red"]))
    address = made.headers["Location"]
    assert (await client.get(address, headers={"If-None-Match": '"1"'})).status_code == 304
    changed = await client.patch(address, json={"tags": ["blue"]}, headers={"If-Match": '"1"'})
    assert (changed.status_code, changed.headers["ETag"], changed.json()["tags"]) == (200, '"2"', ["blue"])
    read = await client.get(address, headers={"If-None-Match": '"1"'})
    assert (read.status_code, read.json()["tags"], read.json()["version"]) == (200, ["blue"], 2)
    assert (await client.patch(address, json={"tags": []}, headers={"If-Match": '"1"'})).status_code == 412
    assert (await client.get(address)).json()["tags"] == ["blue"]


async def test_clients_that_change_tags_at_once_lose_none_of_their_changes(client: httpx.AsyncClient) -> None:
    address = (await client.post("/api/apart/invoices", json=invoice())).headers["Location"]
    changes = [{"tags": [f"{number}", "all"], "lines": [{"text": f"{number}"}]} for number in range(10)]
    answers = await asyncio.gather(*(client.patch(address, json=change) for change in changes))
    assert {answer.status_code for answer in answers} == {200}
    read = (await client.get(address)).json()
    assert read["version"] == 11
    assert read == next(answer.json() for answer in answers if answer.json()["version"] == 11)
    assert len(read["lines"]) == 1
    assert read["tags"] == sorted({read["lines"][0]["text"], "all"})


async def test_a_list_and_the_document_have_what_is_nested(client: httpx.AsyncClient) -> None:
    await client.post("/api/apart/invoices", json=invoice(tags=["red"], lines=[{"text": "a"}]))
    [item] = (await client.get("/api/apart/invoices")).json()["items"]
    assert (item["owner"], item["tags"]) == ({"id": 1, "name": "ada"}, ["red"])
    assert [line["text"] for line in item["lines"]] == ["a"]
    schemas = (await client.get("/api/openapi.json")).json()["components"]["schemas"]
    assert schemas["ApartInvoiceRead"]["properties"]["tags"]["items"] == {"type": "string"}


async def test_an_unknown_child_is_422_at_its_place(client: httpx.AsyncClient) -> None:
    address = (await client.post("/api/apart/invoices", json=invoice())).headers["Location"]
    answer = await client.patch(address, json={"lines": [{"id": 9, "text": "a"}]})
    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"pointer": "#/lines/0/id", "detail": "There is no such row of apart_lines."}]


async def test_a_child_that_is_named_twice_is_422_where_it_is_named_again(client: httpx.AsyncClient) -> None:
    made = (await client.post("/api/apart/invoices", json=invoice(lines=[{"text": "a"}]))).json()
    line = {"id": made["lines"][0]["id"], "text": "b"}
    answer = await client.patch("/api/apart/invoices/1", json={"lines": [line, line, {"text": "c"}, line]})
    assert answer.status_code == 422
    twice = "The same row is named before."
    assert answer.json()["errors"] == [{"pointer": f"#/lines/{index}/id", "detail": twice} for index in (1, 3)]
