"""Clients are told that a route will go: in every answer, and in the document."""

from datetime import date

import pytest
from flask import Flask
from pydantic import BaseModel

from carboy.api import ApiBlueprint, deprecated
from carboy.api.openapi.document import describe
from carboy.errors import NotFoundError
from carboy.web import problems
from carboy.web.application import Application


class Thing(BaseModel):
    name: str


@pytest.fixture
def things() -> Flask:
    blueprint = ApiBlueprint("things", __name__, description="Things.", url_prefix="/things")

    @blueprint.get("")
    @deprecated(since=date(2026, 11, 25), sunset=date(2027, 5, 1), link="https://example.org/changes")
    async def get_thing() -> Thing:
        """Get a thing."""
        return Thing(name="x")

    @blueprint.get("/gone", errors=[NotFoundError])
    @deprecated(since=date(2026, 11, 25))
    async def get_gone() -> Thing:
        raise NotFoundError("It is gone.")

    app = Application("things", static_folder=None)
    app.config["REQUIRE_IF_MATCH"] = False
    problems.init_app(app)
    app.register_blueprint(blueprint)
    return app


def test_an_answer_says_since_when_and_until_when(things: Flask) -> None:
    headers = things.test_client().get("/things").headers
    # RFC 9745 section 2.1 gives the seconds since 1970, RFC 8594 section 3 a date as HTTP spells it.
    assert headers["Deprecation"] == "@1795564800"
    assert headers["Sunset"] == "Sat, 01 May 2027 00:00:00 GMT"
    assert headers["Link"] == '<https://example.org/changes>; rel="deprecation"; type="text/html"'


def test_an_error_says_so_too(things: Flask) -> None:
    answer = things.test_client().get("/things/gone")
    assert (answer.status_code, answer.headers["Deprecation"]) == (404, "@1795564800")
    assert "Sunset" not in answer.headers


def test_the_document_says_so(things: Flask) -> None:
    operation = describe(things)["paths"]["/things"]["get"]
    assert operation["deprecated"] is True
    assert {"Deprecation", "Sunset"} <= set(operation["responses"]["200"]["headers"])


def test_a_route_cannot_go_before_it_is_deprecated() -> None:
    with pytest.raises(ValueError, match="The sunset 2026-01-01 is before the deprecation 2026-11-25"):
        deprecated(since=date(2026, 11, 25), sunset=date(2026, 1, 1))
