"""Finds what one side may send and the other would not understand, for two versions of a JSON Schema."""

import json
from collections.abc import Iterator
from typing import Any

from carboy.api.compatibility.patterns import allows

Node = dict[str, Any]
"""An object of an OpenAPI document."""

Schema = Node | bool
"""A JSON Schema; true allows everything, false nothing."""

ANNOTATIONS = {"title", "description", "examples", "example", "deprecated", "default", "$comment", "externalDocs"}
"""Keywords that allow and forbid nothing."""

LEAST = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
MOST = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
STRUCTURE = {"type", "enum", "const", "items", "properties", "required", "additionalProperties", "discriminator"}
COMPARED = ANNOTATIONS | STRUCTURE | {*LEAST, *MOST}
"""Those that have a rule of their own here; of any other one a change is told whatever it is."""


def resolve(document: Node, node: Any) -> Any:
    """Return what a ``$ref`` into the same document leads to, or the node itself if it is none."""
    while isinstance(node, dict) and "$ref" in node:
        target: Any = document
        for step in node["$ref"].removeprefix("#/").split("/"):
            target = target[step.replace("~1", "/").replace("~0", "~")]
        node = target
    return node


def was(keyword: str, old: Node, new: Node) -> str:
    return f"{keyword} was {json.dumps(old.get(keyword))} and is {json.dumps(new.get(keyword))}"


class Flow:
    """One direction: in requests the released document sends and the current one understands, in answers the reverse.

    All that the sender may send has to be understood by the receiver. That is the one rule, of which a new enum value
    in an answer and a lower maximum in a request are two cases.
    """

    def __init__(self, released: Node, current: Node, *, answers: bool) -> None:
        self._sender, self._receiver = (current, released) if answers else (released, current)
        self._answers = answers
        self._comparing: set[str] = set()

    def changes(self, old: Schema, new: Schema, place: str) -> list[str]:
        """Name what may be sent and is not understood. Within a component the place is that component's name."""
        return self._changes(new, old, place) if self._answers else self._changes(old, new, place)

    def _changes(self, sent: Schema, understood: Schema, place: str) -> list[str]:
        for schema in (sent, understood) if self._answers else (understood, sent):
            # The released document has the last word.
            if isinstance(schema, dict) and "$ref" in schema:
                place = schema["$ref"].rpartition("/")[2]
        pair = json.dumps([sent, understood])
        if pair in self._comparing:
            # A schema that contains itself is understood there if it is understood everywhere else.
            return []
        self._comparing.add(pair)
        try:
            return list(self._compare(_flat(self._sender, sent), _flat(self._receiver, understood), place))
        finally:
            self._comparing.remove(pair)

    def _compare(self, sent: Node, understood: Node, place: str) -> Iterator[str]:
        if not self._answers and "default" in sent and sent["default"] != understood.get("default"):
            yield f"{place}: {self._was('default', sent, understood)}"
        others = list(_alternatives(self._receiver, understood))
        for one in _alternatives(self._sender, sent):
            kind = _kind(self._sender, one)
            kinds = (kind, None, "number") if kind == "integer" else (kind, None)
            candidates = [
                self._compare_one(one, other, place)
                # A member that both have by name is compared with itself, whatever else may have come to be like it.
                for other in ([one] if "$ref" in one and one in others else others)
                if _kind(self._receiver, other) in kinds
            ]
            # The one that it is closest to is taken for what it has become.
            yield from min(candidates, key=len, default=[f"{place}: {self._verdict(kind or 'a value of any type')}"])

    def _compare_one(self, sent: Node, understood: Node, place: str) -> list[str]:
        if "$ref" in sent or "$ref" in understood:
            return self._changes(sent, understood, place)
        found = [f"{place}: {change}" for change in self._values(sent, understood)]
        if "items" in understood:
            found += self._changes(sent.get("items", {}), understood["items"], f"{place}[]")
        return [*found, *self._properties(sent, understood, place)]

    def _values(self, sent: Node, understood: Node) -> Iterator[str]:
        known = _enum(understood)
        if known is not None:
            values = _enum(sent)
            if values is None:
                yield self._verdict("a value that is not listed")
            else:
                yield from (self._verdict(json.dumps(value)) for value in values if value not in known)
        for keywords, sign in ((LEAST, 1), (MOST, -1)):
            for keyword in keywords:
                bound = understood.get(keyword)
                if bound is not None and (keyword not in sent or (sent[keyword] - bound) * sign < 0):
                    yield self._was(keyword, sent, understood)
        # Properties may hide in these; every other keyword of the sender only limits what it sends.
        hiding = sent.keys() & {"patternProperties", "allOf", "oneOf"}
        for keyword in sorted((understood.keys() | hiding) - COMPARED):
            mine, theirs = sent.get(keyword), understood.get(keyword)
            fits = keyword == "pattern" and allows(theirs, mine)
            if not fits and _whole(self._sender, mine) != _whole(self._receiver, theirs):
                yield self._was(keyword, sent, understood)

    def _properties(self, sent: Node, understood: Node, place: str) -> Iterator[str]:
        mine, theirs = sent.get("properties", {}), understood.get("properties", {})
        rest = understood.get("additionalProperties", True)
        for name, schema in mine.items():
            if name in theirs:
                yield from self._changes(schema, theirs[name], f"{place}.{name}")
            elif rest is False:
                yield f"{place}: {self._verdict(f'the property {name}')}"
            else:
                yield from self._changes(schema, rest, f"{place}.{name}")
        removed = theirs.keys() - mine.keys() if self._answers else set()
        yield from (f"{place}: the property {name} was removed from answers" for name in sorted(removed))
        for name in sorted({*understood.get("required", [])} - {*sent.get("required", [])} - removed):
            yield f"{place}: the property {name} {'may be missing now' if self._answers else 'is required now'}"
        if rest is not True and "additionalProperties" not in sent:
            yield f"{place}: {self._verdict('a property that is not named')}"
        elif rest is not True and sent["additionalProperties"] is not False:
            yield from self._changes(sent["additionalProperties"], rest, f"{place}.*")

    def _verdict(self, what: str) -> str:
        return f"{what} may come now" if self._answers else f"{what} is no longer accepted"

    def _was(self, keyword: str, sent: Node, understood: Node) -> str:
        return was(keyword, understood, sent) if self._answers else was(keyword, sent, understood)


def _flat(document: Node, schema: Schema) -> Node:
    """Join a schema with what it refers to by ``$ref`` and ``allOf``.

    Parts that cannot simply be joined stay under ``allOf``, of which any change is told.
    """
    if isinstance(schema, bool):
        return {} if schema else {"not": {}}
    if not schema.keys() & {"$ref", "allOf"}:
        return schema
    parts = [{keyword: value for keyword, value in schema.items() if keyword not in {"$ref", "allOf"}}]
    parts += [_flat(document, part) for part in schema.get("allOf", [])]
    if "$ref" in schema:
        parts.append(_flat(document, resolve(document, {"$ref": schema["$ref"]})))
    rules = [part for part in parts if part.keys() - ANNOTATIONS]
    if not _can_be_joined(rules):
        return {"allOf": _whole(document, rules)}
    joined = {keyword: value for part in reversed(parts) for keyword, value in part.items()}
    if len(rules) > 1:
        joined["required"] = [name for part in rules for name in part.get("required", [])]
        joined["properties"] = {name: value for part in rules for name, value in part.get("properties", {}).items()}
    return joined


def _can_be_joined(parts: list[Node]) -> bool:
    """Tell whether the parts say different things: no keyword but these twice, no property twice, none closed."""
    names = [name for part in parts for name in part.get("properties", {})]
    keywords = [keyword for part in parts for keyword in part.keys() - ANNOTATIONS - {"properties", "required", "type"}]
    types = {json.dumps(part["type"]) for part in parts if "type" in part}
    said_once = len(names) == len(set(names)) and len(keywords) == len(set(keywords)) and len(types) <= 1
    return len(parts) <= 1 or (said_once and "additionalProperties" not in keywords)


def _alternatives(document: Node, schema: Node) -> Iterator[Node]:
    """Split a union into its members; only a discriminator ensures that those of a oneOf do not overlap."""
    union = "anyOf" if "anyOf" in schema else "oneOf" if schema.keys() >= {"oneOf", "discriminator"} else None
    if union:
        rest = {
            keyword: value for keyword, value in schema.items() if keyword not in {union, *ANNOTATIONS, "discriminator"}
        }
        for member in schema[union]:
            if not rest and isinstance(member, dict) and "$ref" in member:
                yield member
            else:
                yield from _alternatives(document, _flat(document, {"allOf": [rest, member]}))
    elif isinstance(schema.get("type"), list):
        for kind in schema["type"]:
            if kind != "null":
                yield {**schema, "type": kind}
            elif None in (_enum(schema) or [None]):
                yield {"type": kind}
    else:
        yield schema


def _kind(document: Node, schema: Node) -> Any:
    return (_flat(document, schema) if "$ref" in schema else schema).get("type")


def _enum(schema: Node) -> list[Any] | None:
    return [schema["const"]] if "const" in schema else schema.get("enum")


def _whole(document: Node, node: Any, within: tuple[str, ...] = ()) -> Any:
    """Put what is referred to in the place of each reference, except where it contains itself."""
    if isinstance(node, list):
        return [_whole(document, member, within) for member in node]
    if not isinstance(node, dict):
        return node
    reference = node.get("$ref")
    if isinstance(reference, str) and reference not in within:
        siblings = {name: value for name, value in node.items() if name != "$ref"}
        return [_whole(document, part, (*within, reference)) for part in (siblings, resolve(document, node))]
    return {name: _whole(document, value, within) for name, value in node.items()}
