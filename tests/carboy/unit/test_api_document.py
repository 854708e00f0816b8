"""The document says of each route what follows from its declaration, and nothing else."""

import json
import re
from collections.abc import Callable
from enum import StrEnum
from types import ModuleType
from typing import Any

import pytest
from flask import Blueprint, Flask
from pydantic import BaseModel

from carboy.api import ApiBlueprint, Created
from carboy.api.compatibility.schemas import resolve
from carboy.api.openapi.components import Components
from carboy.api.openapi.document import describe
from carboy.api.operation import DeclarationError
from carboy.schemas.base import Input, Page, Query

ModuleOf = Callable[[str], ModuleType]


class Thing(BaseModel):
    """Looks like Page_UserRead_"""  # noqa: D415 - it ends as the name of a generic model does.

    name: str
    version: int
    valid_from_: int | None = None


class ThingCreate(Input):
    name: str


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class ThingQuery(Query):
    colour: Colour | None = None


@pytest.fixture
def document() -> dict[str, Any]:
    things = ApiBlueprint("things", __name__, description="Things.", url_prefix="/things")

    @things.get("/<name>")
    async def get_thing(name: str) -> Thing:
        return Thing(name=name, version=1)

    @things.get("", defaults={"name": "any"})
    async def find_thing(name: str, query: ThingQuery) -> Thing:
        return Thing(name=name, version=1)

    @things.post("/<name>/polish")
    async def polish_thing(name: str) -> Thing:
        return Thing(name=name, version=2)

    @things.post("")
    async def create_thing(new: ThingCreate) -> Created[Thing]:
        return Created(Thing(name=new.name, version=1), f"/things/{new.name}")

    outer = Blueprint("v1", __name__, url_prefix="/v1")
    outer.register_blueprint(things)
    app = Flask("things", static_folder=None)
    app.register_blueprint(outer)
    return describe(app)


def test_operations_of_a_nested_blueprint_have_a_tag_that_is_described(document: dict[str, Any]) -> None:
    assert document["tags"] == [{"name": "v1.things", "description": "Things."}]
    assert document["paths"]["/v1/things"]["post"]["tags"] == ["v1.things"]


def test_only_what_is_read_can_be_unchanged(document: dict[str, Any]) -> None:
    read, polish = document["paths"]["/v1/things/{name}"]["get"], document["paths"]["/v1/things/{name}/polish"]["post"]
    assert "304" in read["responses"]
    assert "304" not in polish["responses"]
    assert [one["name"] for one in parameters_of(document, read)] == ["name", "If-None-Match"]
    assert [one["name"] for one in parameters_of(document, polish)] == ["name"]


def test_a_view_that_nothing_is_injected_into_needs_no_database(document: dict[str, Any]) -> None:
    assert "503" not in document["paths"]["/v1/things/{name}"]["get"]["responses"]


def test_an_error_that_passes_says_when_to_try_again(document: dict[str, Any]) -> None:
    responses = responses_of(document, "/v1/things", "post")
    assert {status for status, answer in responses.items() if "Retry-After" in answer["headers"]} == {"409", "503"}
    assert "Retry-After" in document["components"]["headers"]


def test_each_reference_leads_somewhere(document: dict[str, Any]) -> None:
    operation = document["paths"]["/v1/things"]["get"]
    [parameter] = [one for one in parameters_of(document, operation) if one["name"] == "colour"]
    assert parameter["schema"] == {"$ref": "#/components/schemas/Colour"}
    references = set(re.findall(r'"\$ref": "#/components/(\w+)/([^"]+)"', json.dumps(document)))
    assert {name for kind, name in references if name not in document["components"][kind]} == set()


def test_a_default_of_a_rule_is_no_parameter(document: dict[str, Any]) -> None:
    parameters = parameters_of(document, document["paths"]["/v1/things"]["get"])
    assert [parameter["name"] for parameter in parameters] == ["colour", "If-None-Match"]
    assert "404" not in document["paths"]["/v1/things"]["get"]["responses"]


def test_a_name_or_text_that_looks_like_a_generic_model_stays(document: dict[str, Any]) -> None:
    thing = document["components"]["schemas"]["Thing"]
    assert thing["description"] == "Looks like Page_UserRead_"
    assert list(thing["properties"]) == ["name", "version", "valid_from_"]


def test_every_error_is_explained(document: dict[str, Any]) -> None:
    responses = responses_of(document, "/v1/things", "post")
    examples = [resolve(document, example) for answer in responses.values() for example in _examples_of(answer)]
    assert examples
    assert all(example["summary"] and example["value"]["detail"] for example in examples)


def test_the_document_contains_shared_parts_once(document: dict[str, Any]) -> None:
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    failures = [answer for one in operations for status, answer in one["responses"].items() if status >= "300"]
    assert failures
    assert all(answer.keys() == {"$ref"} for answer in failures)
    components = document["components"]
    assert all(
        example.keys() == {"$ref"} for answer in components["responses"].values() for example in _examples_of(answer)
    )
    repeated = [one["name"] for operation in operations for one in operation.get("parameters", ()) if "name" in one]
    assert repeated == ["colour", "Idempotency-Key"]
    assert set(components["parameters"]) == {"name", "If-None-Match"}


def test_different_parts_of_one_name_get_names_of_their_own() -> None:
    shared = Components()
    first, second = {"description": "one"}, {"description": "other"}
    references = [shared.refer("headers", "A", part)["$ref"] for part in (first, second, first, second)]
    assert references == ["#/components/headers/A", "#/components/headers/A_2"] * 2


def test_two_operations_of_one_name_are_an_error() -> None:
    app = Flask("things", static_folder=None)
    for prefix in ("one", "other"):
        blueprint = ApiBlueprint(prefix, __name__, description="Things.", url_prefix=f"/{prefix}")

        @blueprint.get("")
        async def list_things() -> Thing:
            raise NotImplementedError

        app.register_blueprint(blueprint)
    with pytest.raises(DeclarationError, match="Two operations are named list_things"):
        describe(app)


def domain(module_of: ModuleOf, name: str, path: str) -> ApiBlueprint:
    """Return the blueprint of a domain whose schemas have the names that those of other domains have too."""
    module: Any = module_of(SAME_NAMES.replace("DOMAIN", name))
    blueprint = ApiBlueprint(name, __name__, description="Items.", url_prefix=path)

    async def list_items() -> Any:
        raise NotImplementedError

    async def create_item(new: Any) -> Any:
        raise NotImplementedError

    page: Any = Page
    created: Any = Created
    list_items.__annotations__ = {"return": page[module.ItemRead]}
    create_item.__annotations__ = {"new": module.ItemCreate, "return": created[module.Item]}
    list_items.__name__, create_item.__name__ = f"list_at_{path[1:]}", f"create_at_{path[1:]}"
    blueprint.get("")(list_items)
    blueprint.post("")(create_item)
    return blueprint


SAME_NAMES = """
__name__ = "shop.DOMAIN.schemas"

from enum import StrEnum
from carboy.schemas.base import Input, Record

class Kind(StrEnum):
    A = "a"

class Item(Record):
    kind: Kind

class ItemRead(Record):
    kind: Kind

class ItemCreate(Input):
    kind: Kind
"""


def test_schemas_of_a_later_domain_leave_the_names_of_an_earlier_one(module_of: ModuleOf) -> None:
    app = Flask("shop", static_folder=None)
    # In the order of paths it is the later one.
    app.register_blueprint(domain(module_of, "stock", "/z"))
    before = describe(app)
    app.register_blueprint(domain(module_of, "lost_goods", "/a"))
    after = describe(app)
    mine, both = before["components"]["schemas"], after["components"]["schemas"]
    assert before["paths"]["/z"]["post"]["requestBody"] == after["paths"]["/z"]["post"]["requestBody"]
    assert {name: both[name] for name in mine} == mine
    assert {*both} - {*mine} == {
        *("LostGoodsItem", "LostGoodsItemCreate", "LostGoodsItemRead", "LostGoodsItemPage", "LostGoodsKind"),
        *("SparseLostGoodsItem", "SparseLostGoodsItemPage"),
    }
    content = after["paths"]["/a"]["post"]["requestBody"]["content"]["application/json"]
    assert content["schema"] == {"$ref": "#/components/schemas/LostGoodsItemCreate"}
    assert both["LostGoodsItem"]["properties"]["kind"] == {"$ref": "#/components/schemas/LostGoodsKind"}


def test_two_schemas_of_one_name_in_one_domain_are_an_error(module_of: ModuleOf) -> None:
    app = Flask("shop", static_folder=None)
    for name in ("stock", "goods", "goods"):
        blueprint = domain(module_of, name, f"/{len(app.blueprints)}")
        app.register_blueprint(blueprint, name=f"{name}_{len(app.blueprints)}")
    with pytest.raises(DeclarationError, match=r"shop.goods.schemas.\w+ and .*: rename one"):
        describe(app)


def parameters_of(document: dict[str, Any], operation: dict[str, Any]) -> list[Any]:
    return [resolve(document, one) for one in operation["parameters"]]


def responses_of(document: dict[str, Any], path: str, method: str) -> dict[str, Any]:
    responses = document["paths"][path][method]["responses"]
    return {status: resolve(document, answer) for status, answer in responses.items()}


def _examples_of(answer: dict[str, Any]) -> list[dict[str, Any]]:
    return list(answer.get("content", {}).get("application/problem+json", {}).get("examples", {}).values())
