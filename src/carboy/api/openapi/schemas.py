"""The schemas of a document: what pydantic says of the models, under names that generated clients can use."""

import re
from collections.abc import Iterable
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, models_json_schema

from carboy.api.operation import Operation
from carboy.schemas.base import Query

Json = dict[str, Any]
PREFIX = "#/components/schemas/"
REFERENCES = PREFIX + "{model}"
SPARSE = "Sparse"

TEXT = {"type": "string"}
PROBLEMS: Json = {
    "FieldProblem": {
        "type": "object",
        "description": "What is wrong with one field of the request.",
        "required": ["detail"],
        "properties": {
            "detail": TEXT,
            "pointer": TEXT | {"description": "The place in the body, a JSON pointer (RFC 6901) as a URI fragment."},
            "parameter": TEXT | {"description": "The name of the query parameter."},
        },
    },
    "Problem": {
        "type": "object",
        "description": "What went wrong (RFC 9457).",
        "required": ["type", "title", "status", "detail", "code", "request_id"],
        "properties": {
            "type": TEXT | {"description": "`about:blank`: the status and the code say what kind of problem it is."},
            "title": TEXT | {"description": "The name of the status."},
            "status": {"type": "integer"},
            "detail": TEXT | {"description": "What went wrong, for people."},
            "code": TEXT | {"description": "What went wrong, for programs: it does not change."},
            "request_id": TEXT | {"description": "To be quoted in questions: the log tells more under it."},
            "errors": {
                "type": "array",
                "items": {"$ref": REFERENCES.format(model="FieldProblem")},
                "description": "What is wrong with each field, if the code is `invalid_input`.",
            },
            "used_by": {
                "type": "array",
                "items": TEXT,
                "description": "The kinds of resource that refer to this one, if the code is `in_use`.",
            },
            "checks": {
                "type": "object",
                "additionalProperties": TEXT,
                "description": "What answers and what does not, if this process should not be sent requests.",
            },
        },
    },
}
"""Written by hand, as no object of ours has this form: a problem has members only that are known."""


class _Generator(GenerateJsonSchema):
    """pydantic's, without an adapter for each default that is JSON already."""

    def encode_default(self, dft: Any) -> Any:
        return dft if dft is None or type(dft) in {bool, int, str} else super().encode_default(dft)


class Models:
    """The schemas that a document needs for its operations."""

    def __init__(self, operations: Iterable[Operation]) -> None:
        wanted: dict[tuple[type[BaseModel], JsonSchemaMode], None] = {}
        pages: dict[str, Any] = {}
        queries: set[type[Query]] = set()
        for operation in operations:
            if operation.query is not None:
                queries.add(operation.query[1])
                wanted[operation.query[1], "validation"] = None
            if operation.body is not None:
                wanted[operation.body[1], "validation"] = None
            if operation.result is not None:
                wanted[operation.result, "serialization"] = None
            if operation.is_list:
                pages[_name(operation.result)] = operation.result
        _, definitions = models_json_schema(list(wanted), ref_template=REFERENCES, schema_generator=_Generator)
        schemas = definitions.get("$defs", {})
        self.components: Json = {_renamed(name): _tidied(schema) for name, schema in schemas.items()} | PROBLEMS
        # The parameters of a query stand one by one in its operations; what they refer to stays.
        self._queries = {query: self.components.pop(_name(query)) for query in queries}
        for name, page in pages.items():
            self._add_sparse(name, _item_of(page).__name__)

    def reference(self, model: type[BaseModel]) -> Json:
        return {"$ref": REFERENCES.format(model=_name(model))}

    def query(self, model: type[Query]) -> Json:
        """Return the schema of a query string, an object of its parameters."""
        schema: Json = self._queries[model]
        return schema

    def sparse_reference(self, model: type[BaseModel]) -> Json:
        """Return the schema of a list whose items have the fields only that were asked for."""
        return {"$ref": REFERENCES.format(model=SPARSE + _name(model))}

    def _add_sparse(self, page: str, item: str) -> None:
        """Describe the answer to ``fields``: the page, and items of which any field may be missing."""
        whole, described = self.components[item], self.components[page]
        sparse = SPARSE + item.removesuffix("Read")
        self.components[sparse] = {name: value for name, value in whole.items() if name != "required"} | {
            "description": f"Those fields of a {item} that were asked for."
        }
        items = {"type": "array", "items": {"$ref": REFERENCES.format(model=sparse)}}
        self.components[SPARSE + page] = described | {"properties": described["properties"] | {"items": items}}


def _item_of(page: Any) -> type[BaseModel]:
    item: type[BaseModel] = get_args(page.model_fields["items"].annotation)[0]
    return item


def _name(model: type[BaseModel]) -> str:
    return _renamed(model.__name__)


def _tidied(value: Any) -> Any:
    """Rename generic models where they are referred to, and drop titles of fields, which only repeat their names."""
    if isinstance(value, dict):
        return {key: _tidied(item) for key, item in value.items() if key != "title" or not isinstance(item, str)}
    if isinstance(value, list):
        return [_tidied(item) for item in value]
    return _renamed(value) if isinstance(value, str) and value.startswith(PREFIX) else value


def _renamed(text: str) -> str:
    """Return a name that generated clients can use: of ``Page[UserRead]``, pydantic's ``Page_UserRead_``, UserPage."""
    return re.sub(r"\b(\w+?)(?:_(\w+?)(?:Read)?_|\[(\w+?)(?:Read)?\])$", r"\2\3\1", text)
