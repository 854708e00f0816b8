"""Describes an application's declared routes as an OpenAPI 3.1 document."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from functools import partial
from importlib import metadata
from inspect import getdoc, signature
from typing import Any

from flask import Flask
from pydantic import TypeAdapter
from werkzeug.routing import Rule

from carboy.api.blueprint import ApiBlueprint, declared
from carboy.api.idempotency import KEY_PATTERN
from carboy.api.openapi.components import Components
from carboy.api.openapi.responses import responses_of
from carboy.api.openapi.schemas import Json, Models
from carboy.api.operation import DeclarationError, Operation
from carboy.api.requests import JSON, MERGE_PATCH
from carboy.schemas.base import FIELDS, PageQuery

TITLE = "Carboy API"
DESCRIPTION = """\
What holds for every operation:

- **Errors** are `application/problem+json` (RFC 9457). `code` says what went wrong and does not change; `errors` names
  each field that is not valid; `request_id` leads to the log.
- **Times** are RFC 3339 in UTC.
- **Lists** come in pages: send `next_cursor` back as `cursor`, or follow the header `Link` (RFC 8288). `fields` makes
  answers sparse, `total=true` counts.
- **Conditional requests**: answers carry an `ETag`. `If-None-Match` saves what the client has already, `If-Match` keeps
  it from overwriting what others have changed.
- **Retries**: a `POST` that creates may be sent again with the same `Idempotency-Key`; it is answered as before.
- `503` and some `409` say in `Retry-After` when to try again.
"""

SCHEME = "bearer"
BEARER: Json = {"type": "http", "scheme": "bearer", "description": "A token of `Authorization: Bearer TOKEN`."}

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
"""In the order in which they are told. HEAD and OPTIONS follow from what HTTP says of them."""

IF_MATCH = "The ETag that the resource was read with, or several: it is changed only if it still has one of them."
IF_NONE_MATCH = "ETags that the client has: if the answer would have one of them, it is 304 without a body."
IDEMPOTENCY_KEY = (
    "A new random value, such as a UUID, for each thing to create. The same request may then be sent again: it is"
    " answered as before, and nothing is created twice."
)


def describe(app: Flask) -> Json:
    """Return the document, made of JSON's types alone.

    Args:
        app: The application; only the routes of its `ApiBlueprint`s are described.

    Raises:
        DeclarationError: Two operations have the same name, or two schemas of one domain.
    """
    routes = list(_routes(app))
    names = Counter(_tag_and_name(rule)[1] for rule, _, _ in routes)
    twice = [name for name, count in names.items() if count > 1]
    if twice:
        raise DeclarationError(
            f"Two operations are named {twice[0]}; generated clients need one name for each. Rename one of the views."
        )
    order = {name: place for place, name in enumerate(app.blueprints)}
    in_order = sorted(routes, key=lambda route: order[_tag_and_name(route[0])[0]])
    models = Models(operation for _, _, operation in in_order)
    shared = Components()
    paths: dict[str, Json] = {}
    for rule, method, operation in routes:
        path = re.sub(r"<(?:[^:<>]+:)?([^<>]+)>", r"{\1}", rule.rule)
        paths.setdefault(path, {})[method.lower()] = _operation(rule, method, operation, models, shared)
    shared.share_parameters(paths)
    used = {_tag_and_name(rule)[0] for rule, _, _ in routes}
    tags = [
        {"name": name, "description": blueprint.description}
        for name, blueprint in app.blueprints.items()
        if isinstance(blueprint, ApiBlueprint) and name in used
    ]
    return {
        "openapi": "3.1.1",
        "info": {
            "title": TITLE,
            "version": metadata.version("carboy"),
            "description": DESCRIPTION,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        # Relative to where the document is, which says nothing of hosts.
        "servers": [{"url": "/"}],
        "security": [],
        "tags": tags,
        "paths": paths,
        "components": {"schemas": models.components} | shared.sections(),
    }


def _tag_and_name(rule: Rule) -> tuple[str, str]:
    tag, _, name = str(rule.endpoint).rpartition(".")
    return tag, name


def _routes(app: Flask) -> Iterator[tuple[Rule, str, Operation]]:
    """Yield each declared route with each of its methods, sorted by path."""
    for rule in sorted(app.url_map.iter_rules(), key=lambda rule: rule.rule):
        operation = declared(app.view_functions.get(rule.endpoint))
        if operation is not None:
            yield from ((rule, method, operation) for method in METHODS if method in (rule.methods or ()))


def _operation(rule: Rule, method: str, operation: Operation, models: Models, shared: Components) -> Json:
    tag, name = _tag_and_name(rule)
    summary, _, description = (getdoc(operation.view) or name).partition("\n")
    described: Json = {"operationId": name, "summary": summary.rstrip("."), "tags": [tag]}
    if description:
        described["description"] = re.sub(r"(?<!\n)\n(?!\n)", " ", description.strip())
    if operation.deprecation is not None:
        described["deprecated"] = True
    if operation.access is not None:
        described["security"] = _security(operation, shared)
    parameters = [
        *_path_parameters(rule, operation, shared),
        *_query_parameters(operation, models),
        *_headers(operation, method),
    ]
    if parameters:
        described["parameters"] = parameters
    if operation.body is not None:
        content = {"schema": models.reference(operation.body[1])}
        kinds = [JSON, MERGE_PATCH] if operation.changes else [JSON]
        described["requestBody"] = {"required": True, "content": dict.fromkeys(kinds, content)}
    has_path = bool(_path_arguments(rule))
    described["responses"] = responses_of(operation, method, models, shared, has_path=has_path)
    return described


def _security(operation: Operation, shared: Components) -> list[Json]:
    """Return what an operation asks for: one of these, where an empty one is nothing at all."""
    access = operation.access
    if access is None or not operation.asks_who:
        return []
    shared.refer("securitySchemes", SCHEME, BEARER)
    # Permissions stand as the role names that OpenAPI 3.1 has for schemes other than OAuth's.
    needed: Json = {SCHEME: [access.permission] if access.permission is not None else []}
    return [{}, needed] if access.is_public else [needed]


def _path_arguments(rule: Rule) -> list[str]:
    # What a rule gives by default does not stand in its path.
    return sorted(rule.arguments - (rule.defaults or {}).keys())


def _path_parameters(rule: Rule, operation: Operation, shared: Components) -> Iterator[Json]:
    parameters = signature(operation.view).parameters
    for name in _path_arguments(rule):
        kind = parameters[name].annotation
        # By its id, as not every annotation can be hashed; the view keeps it.
        schema = shared.once(("path", id(kind)), partial(_schema_of, kind))
        yield _parameter("path", name, schema, required=True)


def _schema_of(kind: Any) -> Json:
    return TypeAdapter(kind).json_schema()


def _query_parameters(operation: Operation, models: Models) -> Iterator[Json]:
    if operation.query is None:
        return
    schema = models.query(operation.query[1])
    for name, described in schema["properties"].items():
        fields = operation.fields if name == FIELDS and issubclass(operation.query[1], PageQuery) else None
        found = _not_null(described) if fields is None else fields.described()
        yield _parameter("query", name, found, required=name in schema.get("required", ()))


def _not_null(schema: Json) -> Json:
    """Return the schema of a parameter that may be left out, which is told by null where there is a place for it."""
    options = [option for option in schema.get("anyOf", ()) if option != {"type": "null"}]
    if len(options) == 1:
        schema = options[0] | {name: value for name, value in schema.items() if name != "anyOf"}
    return {name: value for name, value in schema.items() if (name, value) != ("default", None)}


def _headers(operation: Operation, method: str) -> Iterator[Json]:
    if operation.expected is not None:
        schema = {"type": "string", "examples": ['"1"'], "description": IF_MATCH}
        # Optional even where the configuration requires it: the document is the same for all, and 428 tells the rest.
        yield _parameter("header", "If-Match", schema, required=False)
    if operation.last_event_id is not None:
        schema = {"type": "string", "description": "The id of the last event that the client has seen."}
        yield _parameter("header", "Last-Event-ID", schema, required=False)
    if operation.has_etag and method == "GET":
        schema = {"type": "string", "examples": ['"1"'], "description": IF_NONE_MATCH}
        yield _parameter("header", "If-None-Match", schema, required=False)
    if operation.creates:
        schema = {
            "type": "string",
            "pattern": KEY_PATTERN,
            "examples": ["8e03978e-40d5-43e8-bc93-6894a57f9324"],
            "description": IDEMPOTENCY_KEY,
        }
        yield _parameter("header", "Idempotency-Key", schema, required=False)


def _parameter(place: str, name: str, schema: Json, *, required: bool) -> Json:
    """Describe a parameter: what pydantic says of a field besides its type stands on the parameter itself."""
    schema = {key: value for key, value in schema.items() if key != "title"}
    parameter: Json = {"name": name, "in": place, "required": required, "schema": schema}
    if "description" in schema:
        parameter["description"] = schema.pop("description")
    return parameter


def pack(document: Json) -> bytes:
    """Return a document as it is sent: without whitespace, which would be half of it."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


def spell(document: Json) -> str:
    """Return a document as it is kept in a file: indented, so that a diff shows each change."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
