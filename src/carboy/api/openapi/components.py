"""The parts of a document that several operations share by `$ref`."""

import json
from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from itertools import chain

from carboy.api.openapi.schemas import Json


class Components:
    """Keeps each part once, under its own name, so that the document grows only by what a domain adds."""

    def __init__(self) -> None:
        self._kinds: dict[str, Json] = {}
        self._made: dict[Hashable, Json] = {}

    def once(self, key: Hashable, make: Callable[[], Json]) -> Json:
        """Return the part of a key, which is made when it is first asked for: most operations have the same parts."""
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]

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
        operations = [operation for operation in _operations(paths) if "parameters" in operation]
        keys = [[json.dumps(one, sort_keys=True) for one in operation["parameters"]] for operation in operations]
        counts = Counter(chain.from_iterable(keys))
        for operation, of_its in zip(operations, keys, strict=True):
            operation["parameters"] = [
                self.refer("parameters", one["name"], one) if counts[key] > 1 else one
                for one, key in zip(operation["parameters"], of_its, strict=True)
            ]

    def sections(self) -> Json:
        """Return the sections of `components`, each sorted by name."""
        return {kind: dict(sorted(parts.items())) for kind, parts in sorted(self._kinds.items())}


def _operations(paths: Json) -> Iterator[Json]:
    for path in paths.values():
        yield from path.values()
