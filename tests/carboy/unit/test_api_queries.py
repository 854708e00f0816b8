"""What a view's query model wants, the query string must have."""

from typing import Self

import pytest
from flask import Flask
from pydantic import BaseModel, model_validator

from carboy.api import ApiBlueprint
from carboy.schemas.base import Query
from carboy.web import problems
from carboy.web.application import Application


class RangeQuery(Query):
    first: int
    last: int

    @model_validator(mode="after")
    def _is_in_order(self) -> Self:
        if self.first > self.last:
            raise ValueError("first must not be greater than last")
        return self


class Range(BaseModel):
    first: int
    last: int


@pytest.fixture
def ranges() -> Flask:
    blueprint = ApiBlueprint("ranges", __name__, description="Ranges.", url_prefix="/ranges")

    @blueprint.get("")
    async def get_range(query: RangeQuery) -> Range:
        return Range(first=query.first, last=query.last)

    app = Application("ranges", static_folder=None)
    problems.init_app(app)
    app.register_blueprint(blueprint)
    return app


def test_a_view_gets_its_query(ranges: Flask) -> None:
    assert ranges.test_client().get("/ranges?first=1&last=2").json == {"first": 1, "last": 2}


@pytest.mark.parametrize(
    ("query", "missing"), [("", ["first", "last"]), ("?", ["first", "last"]), ("?last=2", ["first"])]
)
def test_a_parameter_that_is_missing_is_named(ranges: Flask, query: str, missing: list[str]) -> None:
    answer = ranges.test_client().get(f"/ranges{query}")
    assert answer.status_code == 422
    assert answer.get_json()["errors"] == [{"detail": "Field required.", "parameter": name} for name in missing]


def test_what_is_wrong_with_a_query_as_a_whole_names_no_parameter(ranges: Flask) -> None:
    answer = ranges.test_client().get("/ranges?first=2&last=1")
    assert answer.status_code == 422
    assert answer.get_json()["errors"] == [{"detail": "First must not be greater than last."}]
