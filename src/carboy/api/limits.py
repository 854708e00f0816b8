"""How many fields and items a JSON body may hold: reading more than any valid body has takes too long.

The JSON library takes up to 4 microseconds for each, all on the event loop: two seconds for the half million that fit
into a megabyte. It has no limit of its own (pydantic issue 8242).
"""

from math import inf
from typing import Any

MOST_BEYOND = 1000
"""Separators that a body may have beyond those of a valid one, so that usual mistakes are all told."""

MOST_UNDECLARED = 20_000
"""Separators that a body may have whose model sets no limit, as a list without a max_length does."""

Schema = dict[str, Any]


def most_separators(schema: Schema) -> int:
    """Return how many commas and opening brackets a body may have, of which each value but the first has one.

    Args:
        schema: The JSON schema of the body's model.
    """
    most = _most(schema, schema.get("$defs", {}), ())
    return MOST_BEYOND + (MOST_UNDECLARED if most == inf else int(most))


def _most(schema: Schema, definitions: Schema, above: tuple[str, ...]) -> float:
    """Return the most separators of a valid document; infinity if the schema sets no limit."""
    name = schema.get("$ref", "").removeprefix("#/$defs/")
    if name:
        return inf if name in above else _most(definitions[name], definitions, (*above, name))
    options = schema.get("anyOf") or schema.get("oneOf")
    if options:
        return max(_most(option, definitions, above) for option in options)
    kind = schema.get("type")
    if kind == "object" and schema.get("additionalProperties") is False:
        return 1 + sum(1 + _most(one, definitions, above) for one in schema.get("properties", {}).values())
    if kind == "array" and "maxItems" in schema:
        kinds = [*schema.get("prefixItems", ()), schema.get("items", {})]
        return 1 + schema["maxItems"] * max(1 + _most(one, definitions, above) for one in kinds) if kinds else 1
    return 0 if kind in {"string", "number", "integer", "boolean", "null"} else inf


def has_more_separators(body: bytes, most: int) -> bool:
    """Tell whether JSON has more separators than that, without reading it."""
    if _count(body) <= most:
        return False
    # Separators in strings, between every other pair of quotes, do not count; leaving them out costs time.
    plain = body.replace(rb"\\", b"").replace(rb"\"", b"")
    # Two strings, a name and its value, have at least one separator.
    too_many_strings = plain.count(b'"') > 4 * (most + 1)
    return too_many_strings or _count(b"".join(plain.split(b'"')[::2])) > most


def _count(text: bytes) -> int:
    return text.count(b",") + text.count(b"[") + text.count(b"{")
