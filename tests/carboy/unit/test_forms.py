"""A form shows what was typed and what is wrong with it, beside each field."""

import re
from collections.abc import AsyncIterator, Iterator
from html import unescape
from typing import Annotated

import httpx
import pytest
import pytest_asyncio
from flask import Flask, Response
from jinja2 import DictLoader
from support.pages import Container

from carboy.bridge import FlaskASGI
from carboy.di.wiring import unwire, wire
from carboy.errors import ConflictError, FieldProblem, InvalidInputError
from carboy.forms import Form, render_form, sent_form
from carboy.schemas import Text
from carboy.schemas.base import Input
from carboy.schemas.text import Described
from carboy.security.errors import ForbiddenError
from carboy.testing.client import client_of
from carboy.web import problems
from carboy.web.access import public
from carboy.web.application import Application
from carboy.web.pages import PageBlueprint
from carboy.web.visits import flash, render_page

TEMPLATE = """
{%- for flash in flashes %}[{{ flash.kind.value }}: {{ flash.text }}]{% endfor %}
{%- set fields = [form.field("name", "Name"), form.field("secret", "Secret")] %}
<input name="csrf_token" value="{{ csrf_token() }}">
{% for field in fields %}{{ field.id }}={{ field.value }} {{ field.described_by(hint=True) }}
{% endfor %}{% for id, label, problem in form.summary() %}({{ id }}|{{ label }}|{{ problem }}){% endfor %}
"""


class TakenError(ConflictError):
    code = "taken"
    message = "It is taken."


class Sent(Input):
    name: Text
    number: int = 0
    secret: Annotated[str, Described(format="password")] = ""
    colours: list[Text] | None = None
    token: str | None = None


def build() -> PageBlueprint:
    pages = PageBlueprint("pages", __name__, login="pages.show")

    @pages.get("/form")
    @public
    async def show() -> Response:
        return await render_form("form.html", Form(Sent, {"name": "as before"}))

    @pages.post("/form")
    @public
    async def send() -> Response:
        form = sent_form(Sent, token="from elsewhere")
        with form.refusals(ConflictError, name=TakenError):
            if form.content.name in ERRORS:
                raise ERRORS[form.content.name]
            await flash(repr(form.content))
            return await render_page("form.html", form=form)
        return await render_form("form.html", form)

    return pages


ERRORS = {
    "taken": TakenError(),
    "conflict": ConflictError(),
    "weak": InvalidInputError([FieldProblem(pointer="#/secret", detail="Is weak.")]),
    "elsewhere": InvalidInputError([FieldProblem(detail="Is wrong in all.")]),
    "forbidden": ForbiddenError(),
}


@pytest.fixture
def paged() -> Iterator[Flask]:
    container = Container()
    app = Application("forms", static_folder=None)
    problems.init_app(app)
    app.jinja_loader = DictLoader({"form.html": TEMPLATE})
    app.register_blueprint(build())
    wire(container, app)
    yield app
    unwire(container)


@pytest_asyncio.fixture
async def browser(paged: Flask) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(FlaskASGI(paged)) as client:
        yield client


async def send(browser: httpx.AsyncClient, **fields: str | list[str]) -> httpx.Response:
    page = await browser.get("/form")
    token = re.search(r'value="([^"]+)"', page.text)
    assert token is not None
    return await browser.post("/form", data={"csrf_token": token[1], **fields})


async def test_a_visitor_who_is_shown_a_form_gets_a_session(browser: httpx.AsyncClient) -> None:
    page = await browser.get("/form")
    assert page.headers["Set-Cookie"].startswith("session=visitor;")
    assert "field-name=as before field-name-hint\n" in page.text
    assert "Set-Cookie" not in (await browser.get("/form")).headers


async def test_what_is_sent_becomes_the_model(browser: httpx.AsyncClient) -> None:
    page = await send(browser, name=" Ada ", number="7", secret=" s ", colours=["red", ""], token="own", more="x")
    assert page.status_code == 200
    sent = Sent(name="Ada", number=7, secret=" s ", colours=["red"], token="from elsewhere")
    assert f"[success: {sent!r}]" in unescape(page.text)
    assert "success" not in (await browser.get("/form")).text, "A message is shown once."


async def test_what_is_wrong_is_told_with_what_was_typed_but_secrets(browser: httpx.AsyncClient) -> None:
    page = await send(browser, name="", number="seven", secret="sesame")
    assert page.status_code == 422
    assert "field-name= field-name-hint field-name-error" in page.text
    assert "(field-name|Name|Must be filled in.)" in page.text
    # The page has no such field, so that nothing can lead to it.
    assert "(None||Input should be a valid integer, unable to parse string as an integer.)" in page.text
    assert "sesame" not in page.text


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("taken", "(field-name|Name|It is taken.)"),
        ("conflict", "(None||The request conflicts with the current state of the resource.)"),
        ("weak", "(field-secret|Secret|Is weak.)"),
        ("elsewhere", "(None||Is wrong in all.)"),
    ],
)
async def test_an_error_of_the_service_stands_where_it_belongs(
    browser: httpx.AsyncClient, name: str, line: str
) -> None:
    page = await send(browser, name=name)
    assert (page.status_code, line in page.text) == (422, True), page.text
    assert f"field-name={name}" in page.text


async def test_another_error_is_none_of_the_forms_business(browser: httpx.AsyncClient) -> None:
    assert (await send(browser, name="forbidden")).status_code == 403
