"""The schemas of a document: what pydantic says of the models, under names that generated clients can use."""

import json
import re
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, models_json_schema

from carboy.api.operation import DeclarationError, Operation
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
    """Gives each schema a name that no schema of a later blueprint changes."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._names: dict[str, str] = {}
        self._places: dict[str, str] = {}

    def encode_default(self, dft: Any) -> Any:
        # pydantic makes an adapter for each default, also for those that are JSON already.
        return dft if dft is None or type(dft) in {bool, int, str} else super().encode_default(dft)

    def get_defs_ref(self, core_mode_ref: Any) -> Any:
        # A reference such as `app.users.schemas.UserRead:94`, with an id; of a generic class with its arguments'.
        reference, mode = core_mode_ref
        named: Any = re.sub(r"([\w.<>]*?)(\w+):(\d+)", lambda part: self._named(*part.groups()), reference)
        return super().get_defs_ref((named, mode))

    def _named(self, place: str, name: str, identity: str) -> str:
        """Return a reference to a class under a name of its own: if another class has its name, its domain's is added.

        Raises:
            DeclarationError: Another class has that name too.
        """
        own = self._names.get(identity) or self._new_name(place, name)
        self._names[identity] = own
        self._places.setdefault(own, place + name)
        return f"{place}{own}:{identity}"

    def _new_name(self, place: str, name: str) -> str:
        if name not in self._places:
            return name
        domain = (place.split(".")[1:2] or [place])[0]
        own = "".join(word.capitalize() for word in domain.split("_")) + name
        if own in self._places:
            raise DeclarationError(
                f"{place}{name} and {self._places[own]} are both {own} in the document: rename one of them."
            )
        return own


class Models:
    """The schemas that a document needs for its operations.

    Args:
        operations: The operations. Of two schemas with one name, that of the earlier operation keeps it.
    """

    def __init__(self, operations: Iterable[Operation]) -> None:
        wanted: dict[tuple[type[BaseModel], JsonSchemaMode], None] = {}
        pages: dict[Any, None] = {}
        queries: set[type[Query]] = set()
        for operation in operations:
            if operation.query is not None:
                queries.add(operation.query[1])
                wanted[operation.query[1], "validation"] = None
            if operation.body is not None:
                wanted[operation.body[1], "validation"] = None
            if operation.is_list:
                # Before the page, whose name is made of the item's.
                wanted[operation.item, "serialization"] = None
                pages[operation.result] = None
            if operation.result is not None:
                wanted[operation.result, "serialization"] = None
        references, definitions = models_json_schema(list(wanted), ref_template=REFERENCES, schema_generator=_Generator)
        self._references = {key: _tidied(reference) for key, reference in references.items()}
        schemas = definitions.get("$defs", {})
        self.components: Json = {_renamed(name): _tidied(schema) for name, schema in schemas.items()} | PROBLEMS
        # The parameters of a query stand one by one in its operations; what they refer to stays.
        self._queries = {query: self.components.pop(_target(self.reference(query))) for query in queries}
        self._drop_unused({self._target_of(*key) for key in wanted if key[0] not in queries} | PROBLEMS.keys())
        for page in pages:
            self._add_sparse(self._target_of(page, "serialization"))

    def _drop_unused(self, named: AbstractSet[str]) -> None:
        """Drop what neither an operation names nor another schema: an enum whose values became a pattern, for one."""
        text = json.dumps([self.components, list(self._queries.values())])
        used = named | set(re.findall(f'"{PREFIX}([^"]+)"', text))
        self.components = {name: schema for name, schema in self.components.items() if name in used}

    def _target_of(self, model: type[BaseModel], mode: JsonSchemaMode) -> str:
        return _target(self.reference(model, mode))

    def reference(self, model: type[BaseModel], mode: JsonSchemaMode = "validation") -> Json:
        """Return the reference to the schema of what is taken (``validation``), or given (``serialization``)."""
        return {**self._references[model, mode]}

    def query(self, model: type[Query]) -> Json:
        """Return the schema of a query string, an object of its parameters."""
        schema: Json = self._queries[model]
        return schema

    def sparse_reference(self, model: type[BaseModel]) -> Json:
        """Return the schema of a list whose items have the fields only that were asked for."""
        return {"$ref": REFERENCES.format(model=SPARSE + _target(self.reference(model, "serialization")))}

    def _add_sparse(self, page: str) -> None:
        """Describe the answer to ``fields``: the page, and items of which any field may be missing."""
        described = self.components[page]
        item = _target(described["properties"]["items"]["items"])
        whole, sparse = self.components[item], SPARSE + item.removesuffix("Read")
        self.components[sparse] = {name: value for name, value in whole.items() if name != "required"} | {
            "description": f"Those fields of a {item} that were asked for."
        }
        items = {"type": "array", "items": {"$ref": REFERENCES.format(model=sparse)}}
        self.components[SPARSE + page] = described | {"properties": described["properties"] | {"items": items}}


def _target(reference: Json) -> str:
    """Return the name that a reference leads to."""
    return str(reference["$ref"]).removeprefix(PREFIX)


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
