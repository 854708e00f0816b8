"""The parts of a document that several operations share by `$ref`."""

import json
from collections import Counter
from collections.abc import Iterator

from carboy.api.openapi.schemas import Json


class Components:
    """Keeps each part once, under its own name, so that the document grows only by what a domain adds."""

    def __init__(self) -> None:
        self._kinds: dict[str, Json] = {}

    def refer(self, kind: str, name: str, part: Json) -> Json:
        """Return a reference to a part.

        Args:
            kind: The section of `components` that it belongs to.
            name: How to name it; another part of this name makes it get a number.
            part: What to refer to.
        """
        parts = self._kinds.setdefault(kind, {})
        free, number = name, 1
        while parts.setdefault(free, part) != part:
            number += 1
            free = f"{name}_{number}"
        return {"$ref": f"#/components/{kind}/{free}"}

    def share_parameters(self, paths: Json) -> None:
        """Replace each parameter that more than one operation has by a reference."""
        operations = list(_operations(paths))
        counts = Counter(_key(one) for operation in operations for one in operation.get("parameters", ()))
        for operation in operations:
            if "parameters" in operation:
                operation["parameters"] = [
                    self.refer("parameters", one["name"], one) if counts[_key(one)] > 1 else one
                    for one in operation["parameters"]
                ]

    def sections(self) -> Json:
        """Return the sections of `components`, each sorted by name."""
        return {kind: dict(sorted(parts.items())) for kind, parts in sorted(self._kinds.items())}


def _operations(paths: Json) -> Iterator[Json]:
    for path in paths.values():
        yield from path.values()


def _key(part: Json) -> str:
    return json.dumps(part, sort_keys=True)
