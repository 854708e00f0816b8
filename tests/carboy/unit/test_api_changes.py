"""What counts as a change that may break a client, and how it is told."""

import copy
import re
from typing import Any

import pytest

from carboy.api.compatibility.documents import breaking_changes

TEXT = {"type": "string"}
NUMBER = {"type": "integer"}
NULL = {"type": "null"}


def an_object(required: list[str] | None = None, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": required or []}


def closed(schema: dict[str, Any]) -> dict[str, Any]:
    return schema | {"additionalProperties": False}


def an_api(*, sent: Any = True, answered: Any = True, schemas: dict[str, Any] | None = None) -> dict[str, Any]:
    """A document of one operation, `POST /a`, with the schemas of its body and its answer."""
    return {
        "openapi": "3.1.1",
        "servers": [{"url": "/"}],
        "security": [],
        "paths": {
            "/a": {
                "parameters": [{"name": "X-Trace", "in": "header", "schema": TEXT}],
                "post": {
                    "operationId": "do_a",
                    "parameters": [{"name": "q", "in": "query", "schema": {"type": "string", "maxLength": 9}}],
                    "requestBody": {"content": {"application/json": {"schema": sent}}},
                    "responses": {
                        "200": {
                            "headers": {"ETag": {"required": True, "schema": TEXT}},
                            "content": {"application/json": {"schema": answered}},
                        },
                        "404": {"content": {"application/problem+json": {"schema": True}}},
                    },
                },
            }
        },
        "components": {"schemas": schemas or {}},
    }


@pytest.mark.parametrize(
    ("old", "new", "change"),
    [
        (TEXT, NUMBER, "string is no longer accepted"),
        ({"type": "number"}, NUMBER, "number is no longer accepted"),
        ({"type": ["string", "null"]}, TEXT, "null is no longer accepted"),
        ({"anyOf": [TEXT, NULL]}, TEXT, "null is no longer accepted"),
        ({}, TEXT, "a value of any type is no longer accepted"),
        ({"enum": ["a", "b"]}, {"enum": ["a"]}, '"b" is no longer accepted'),
        ({"type": "null"}, {"type": ["string", "null"], "enum": ["a"]}, "null is no longer accepted"),
        ({"enum": ["a", "b"]}, {"const": "a"}, '"b" is no longer accepted'),
        (TEXT, TEXT | {"enum": ["a"]}, "a value that is not listed is no longer accepted"),
        (NUMBER, NUMBER | {"minimum": 1}, "minimum was null and is 1"),
        (TEXT | {"maxLength": 9}, TEXT | {"maxLength": 8}, "maxLength was 9 and is 8"),
        (TEXT, TEXT | {"format": "email"}, 'format was null and is "email"'),
        (TEXT | {"pattern": "a"}, TEXT | {"pattern": "b"}, 'pattern was "a" and is "b"'),
        (TEXT | {"default": "a"}, TEXT | {"default": "b"}, 'default was "a" and is "b"'),
        (an_object(a=TEXT), an_object(["a"], a=TEXT), "the property a is required now"),
        (an_object(), an_object(["a"], a=TEXT), "the property a is required now"),
        (closed(an_object(a=TEXT)), closed(an_object()), "the property a is no longer accepted"),
        (an_object(), closed(an_object()), "a property that is not named is no longer accepted"),
        ({"not": TEXT}, {"not": NUMBER}, 'not was {"type": "string"} and is {"type": "integer"}'),
        (True, False, "not was null and is {}"),
        (
            closed({"patternProperties": {"^x": TEXT}}),
            closed({"patternProperties": {"^y": TEXT}}),
            'patternProperties was {"^x": {"type": "string"}} and is {"^y": {"type": "string"}}',
        ),
        # What only one member allowed, two allow now.
        ({"oneOf": [TEXT]}, {"oneOf": [TEXT, {}]}, 'oneOf was [{"type": "string"}] and is [{"type": "string"}, {}]'),
    ],
)
def test_a_request_that_was_valid_has_to_stay_valid(old: Any, new: Any, change: str) -> None:
    assert breaking_changes(an_api(sent=old), an_api(sent=new)) == [f"POST /a, body: {change}"]


@pytest.mark.parametrize(
    ("old", "new", "change"),
    [
        (NUMBER, {"type": "number"}, "number may come now"),
        (TEXT, {"anyOf": [TEXT, NULL]}, "null may come now"),
        ({"enum": ["a"]}, {"enum": ["a", "b"]}, '"b" may come now'),
        ({"enum": ["a"]}, {}, "a value that is not listed may come now"),
        (NUMBER | {"maximum": 9}, NUMBER, "maximum was 9 and is null"),
        (TEXT | {"format": "date"}, TEXT, 'format was "date" and is null'),
        (an_object(["a"], a=TEXT), an_object(a=TEXT), "the property a may be missing now"),
        (an_object(a=TEXT), an_object(), "the property a was removed from answers"),
        (closed(an_object()), closed(an_object(a=TEXT)), "the property a may come now"),
    ],
)
def test_nothing_may_come_that_was_not_announced(old: Any, new: Any, change: str) -> None:
    assert breaking_changes(an_api(answered=old), an_api(answered=new)) == [f"POST /a, 200: {change}"]


@pytest.mark.parametrize(
    ("narrow", "wide"),
    [
        (TEXT, {}),
        (NUMBER, {"type": "number"}),
        (TEXT, {"anyOf": [NUMBER, TEXT]}),
        ({"anyOf": [TEXT, NULL]}, {"type": ["string", "null"]}),
        ({"enum": ["a"]}, {"enum": ["b", "a"]}),
        (TEXT | {"minLength": 2}, TEXT | {"minLength": 1}),
        (TEXT | {"pattern": "a"}, TEXT),
        (an_object(["a"], a=TEXT), an_object(["a"], a=TEXT, b=TEXT)),
        ({"allOf": [an_object(a=TEXT), {"required": ["a"]}]}, an_object(["a"], a=TEXT)),
        (TEXT | {"title": "A"}, TEXT | {"description": "A text."}),
    ],
)
def test_requests_may_become_wider(narrow: Any, wide: Any) -> None:
    assert breaking_changes(an_api(sent=narrow), an_api(sent=wide)) == []


def test_answers_may_become_narrower_and_get_new_properties() -> None:
    old = an_object(["id"], id={"type": "number"}, name={"anyOf": [TEXT, NULL]})
    new = an_object(["id", "name"], id=NUMBER, name=TEXT, more=TEXT)
    assert breaking_changes(an_api(answered=old), an_api(answered=new)) == []


GONE = object()
OPERATION = ("paths", "/a", "post")
QUERY = (*OPERATION, "parameters", 0)
OK = (*OPERATION, "responses", "200")


@pytest.mark.parametrize(
    ("place", "value", "changes"),
    [
        (("paths", "/a"), GONE, ["POST /a: the operation was removed"]),
        (OPERATION, GONE, ["POST /a: the operation was removed"]),
        (("servers",), [{"url": "/v2"}], ["servers: / was removed"]),
        ((*OPERATION, "operationId"), "do_b", ['POST /a: operationId was "do_a" and is "do_b"']),
        ((*OPERATION, "security"), [{"token": []}], ["POST /a: no credentials was enough and is no longer"]),
        ((*OPERATION, "tags"), ["b"], ['POST /a: tags was null and is ["b"]']),
        ((*OPERATION, "security"), [{}, {"token": []}], []),
        ((*OPERATION, "parameters"), [], ["POST /a: the query parameter q was removed"]),
        (("paths", "/a", "parameters"), [], ["POST /a: the header parameter x-trace was removed"]),
        ((*QUERY, "required"), True, ["POST /a, query parameter q: it is required now"]),
        ((*QUERY, "explode"), False, ["POST /a, query parameter q: explode was null and is false"]),
        (
            (*QUERY, "schema", "maxLength"),
            8,
            ["POST /a, query parameter q: maxLength was 9 and is 8"],
        ),
        (
            ("paths", "/a", "parameters", 0),
            {"name": "id", "in": "query", "required": True},
            ["POST /a: the header parameter x-trace was removed", "POST /a: the query parameter id is required now"],
        ),
        (
            (*OPERATION, "requestBody"),
            GONE,
            ["POST /a: the body was removed", "POST /a, body: the media type application/json was removed"],
        ),
        ((*OPERATION, "requestBody", "required"), True, ["POST /a: the body is required now"]),
        (OK, GONE, ["POST /a: the status 200 was removed"]),
        ((*OPERATION, "responses", "202"), {}, ["POST /a: the status 202 may come now"]),
        ((*OPERATION, "responses", "409"), {}, []),
        ((*OK, "headers"), {}, ["POST /a, 200: the header ETag was removed"]),
        ((*OK, "headers"), {"etag": {"required": True, "schema": TEXT}}, []),
        ((*OK, "headers", "ETag", "required"), False, ["POST /a, 200: the header ETag may be missing now"]),
        ((*OK, "headers", "ETag", "schema"), NUMBER, ["POST /a, 200, header ETag: integer may come now"]),
        ((*OK, "content"), {"text/csv": {}}, ["POST /a, 200: the media type application/json was removed"]),
        (("components", "schemas"), {}, ["Unused: the schema was removed"]),
        (("paths", "/b"), {"get": {"operationId": "get_b", "responses": {}}}, []),
    ],
)
def test_each_part_of_an_operation_has_to_stay(place: tuple[Any, ...], value: Any, changes: list[str]) -> None:
    released = an_api(schemas={"Unused": {}})
    current = copy.deepcopy(released)
    *parents, last = place
    node: Any = current
    for step in parents:
        node = node[step]
    if value is GONE:
        del node[last]
    else:
        node[last] = value
    assert breaking_changes(released, current) == changes


def test_credentials_that_were_enough_have_to_be_enough() -> None:
    def protected(*ways: dict[str, list[str]]) -> dict[str, Any]:
        return an_api() | {"security": list(ways)}

    released = protected({"token": ["read"]}, {"cookie": []})
    assert breaking_changes(released, protected({"cookie": []}, {"token": []})) == []
    assert breaking_changes(released, protected({"token": ["read", "write"]}, {"cookie": []})) == [
        "POST /a: token was enough and is no longer"
    ]


def to(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def test_a_change_in_a_component_is_told_once_by_its_name() -> None:
    def api(**properties: Any) -> dict[str, Any]:
        page = an_object(items={"type": "array", "items": to("User")}, first={"anyOf": [to("User"), NULL]})
        return an_api(answered=page, schemas={"User": an_object(**properties)})

    assert breaking_changes(api(a=TEXT, b=TEXT), api(a=NUMBER)) == [
        "User.a: integer may come now",
        "User: the property b was removed from answers",
    ]


def test_schemas_may_contain_themselves() -> None:
    def api(**properties: Any) -> dict[str, Any]:
        tree = an_object(
            parent={"anyOf": [to("Tree"), NULL]}, leaves={"type": "array", "items": to("Tree")}, **properties
        )
        return an_api(sent=to("Tree"), answered=to("Tree"), schemas={"Tree": tree, "Rule": {"not": to("Rule")}})

    assert breaking_changes(api(name=TEXT), api(name=TEXT)) == []
    assert breaking_changes(api(name=TEXT), api(name=NUMBER)) == [
        "Tree.name: string is no longer accepted",
        "Tree.name: integer may come now",
    ]


def test_a_member_of_a_union_is_compared_with_itself() -> None:
    def api(whole: dict[str, Any]) -> dict[str, Any]:
        schemas = {"Whole": whole, "Sparse": an_object(a=TEXT)}
        return an_api(answered={"anyOf": [to("Whole"), to("Sparse")]}, schemas=schemas)

    assert breaking_changes(api(an_object(["a"], a=TEXT)), api(an_object(a=TEXT))) == [
        "Whole: the property a may be missing now"
    ]


def test_references_are_followed_where_anything_may_be_one() -> None:
    released = an_api()
    current = copy.deepcopy(released)
    operation, components = current["paths"]["/a"]["post"], current["components"]
    components["parameters"] = {"Q": operation["parameters"][0]}
    components["requestBodies"] = {"A": operation["requestBody"]}
    components["responses"] = {"A": operation["responses"]["200"]}
    components["headers"] = {"ETag": operation["responses"]["200"]["headers"]["ETag"]}
    operation["parameters"] = [{"$ref": "#/components/parameters/Q"}]
    operation["requestBody"] = {"$ref": "#/components/requestBodies/A"}
    operation["responses"]["200"] = {"$ref": "#/components/responses/A"}
    components["responses"]["A"]["headers"] = {"ETag": {"$ref": "#/components/headers/ETag"}}
    assert breaking_changes(released, current) == []
    assert breaking_changes(current, released) == []


def test_a_pattern_that_is_spelt_otherwise_is_no_change() -> None:
    one = {"pattern": r"^[^\x00-\x1f\u2028\u2029]*$"}
    same = {"pattern": r"^(?:[^\x00-\x1f\u2027-\u202a]|[\u2027\u202a])*$"}
    assert breaking_changes(an_api(sent=TEXT | one), an_api(sent=TEXT | same)) == []
    assert breaking_changes(an_api(answered=TEXT | one), an_api(answered=TEXT | same)) == []
    other = {"pattern": r"^(?:[^\x00-\x1f\u2027-\u202a]|[\u2027])*$"}
    assert breaking_changes(an_api(sent=TEXT | one), an_api(sent=TEXT | other)) != []


def some_of(*values: str, more: int = 9) -> dict[str, str]:
    one = "|".join(re.escape(value) for value in values)
    return TEXT | {"pattern": f"^(?:{one})(?:,(?:{one})){{0,{more}}}$"}


@pytest.mark.parametrize("wide", [some_of("x.z", "c|d", "a.b"), some_of("a.b", "c|d", more=10)])
def test_a_list_of_values_may_take_more_in_requests_and_less_in_answers(wide: dict[str, str]) -> None:
    narrow = some_of("a.b", "c|d")
    assert breaking_changes(an_api(sent=narrow), an_api(sent=wide)) == []
    assert breaking_changes(an_api(sent=wide), an_api(sent=narrow)) != []
    assert breaking_changes(an_api(answered=wide), an_api(answered=narrow)) == []
    assert breaking_changes(an_api(answered=narrow), an_api(answered=wide)) != []


def both(one: str, other: str) -> dict[str, Any]:
    return {"allOf": [{"pattern": one}, {"pattern": other}]}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (both("a", "b"), both("a", "c")),
        ({"oneOf": [to("A"), NULL]}, {"oneOf": [to("A"), NULL]}),
        ({"allOf": [to("A"), {"pattern": "b"}]}, {"allOf": [to("A"), {"pattern": "b"}]}),
    ],
)
def test_combined_schemas_are_compared_with_all_that_they_refer_to(old: Any, new: Any) -> None:
    released = an_api(sent=old, schemas={"A": TEXT | {"maxLength": 2}})
    current = an_api(sent=new, schemas={"A": TEXT | {"maxLength": 1}})
    assert breaking_changes(released, released) == []
    assert breaking_changes(released, current) != []


def test_a_discriminator_lets_a_union_grow() -> None:
    def api(*names: str) -> dict[str, Any]:
        union = {"oneOf": [to(name) for name in names], "discriminator": {"propertyName": "kind"}}
        return an_api(sent=union, schemas={"A": an_object(kind={"const": "a"}), "B": an_object(kind={"const": "b"})})

    assert breaking_changes(api("A"), api("B", "A")) == []
    assert breaking_changes(api("A", "B"), api("B")) == ['A.kind: "a" is no longer accepted']
