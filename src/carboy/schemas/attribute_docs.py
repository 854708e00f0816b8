"""Describes the fields of a schema by the texts below them, which are read when a document is made, not at each start.

pydantic's own `use_attribute_docstrings` looks for the source of each class while it is made: a twelfth of a start.
"""

import ast
import inspect
import sys
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from types import ModuleType
from typing import Any

from pydantic import BaseModel, GetJsonSchemaHandler
from pydantic_core import CoreSchema


class Documented(BaseModel):
    """A model in whose JSON schema the text below a field is its description, unless it has another one."""

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        found = handler(schema)
        properties: dict[str, Any] = handler.resolve_ref_schema(found).get("properties", {})
        docs = _docs_of(cls)
        for name in docs.keys() & cls.model_fields.keys():
            field = cls.model_fields[name]
            for key in {name, field.validation_alias, field.serialization_alias} & properties.keys():
                properties[str(key)].setdefault("description", docs[name])
        return found


@cache
def _docs_of(model: type[BaseModel]) -> dict[str, str]:
    """Return the texts below the fields of a model; a field that a subclass declares anew has that one's, or none."""
    docs: dict[str, str] = {}
    for kind in reversed(model.__mro__):
        if issubclass(kind, Documented):
            for name in inspect.get_annotations(kind):
                docs.pop(name, None)
            docs |= _own_docs(kind)
    return docs


def _own_docs(kind: type) -> dict[str, str]:
    module = sys.modules.get(kind.__module__)
    return {} if module is None else _docs_in(module).get(kind.__qualname__, {})


@cache
def _docs_in(module: ModuleType) -> dict[str, dict[str, str]]:
    """Return the texts below the fields of each class of a module, by the class's qualified name."""
    try:
        source = inspect.getsource(module)
    except (OSError, TypeError):
        # It has no file, as what is typed into a shell.
        return {}
    return dict(_classes_in(ast.parse(source), ""))


def _classes_in(node: ast.AST, prefix: str) -> Iterator[tuple[str, dict[str, str]]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef):
            yield f"{prefix}{child.name}", _docs_below(child.body)
            yield from _classes_in(child, f"{prefix}{child.name}.")
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _classes_in(child, f"{prefix}{child.name}.<locals>.")
        elif isinstance(child, ast.stmt):
            yield from _classes_in(child, prefix)


def _docs_below(statements: list[ast.stmt]) -> dict[str, str]:
    return {
        field.target.id: inspect.cleandoc(text.value.value)
        for field, text in pairwise(statements)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
    }
